import { SealiftError } from '../../domain/error.ts';

/** A message of charon's control interface: texts, lists of texts, and sections of them. */
export interface ViciMessage {
  [name: string]: string | string[] | ViciMessage;
}

/** The elements of a message: README.md of strongSwan's libvici, "Message encoding". */
const element = { sectionStart: 1, sectionEnd: 2, keyValue: 3, listStart: 4, listItem: 5, listEnd: 6 } as const;
/** Deeper than anything that charon says. */
const mostDepth = 16;

/** The bytes of a message. Throws `internal` for a name or a value that the format has no room for. */
export function encodeMessage(message: ViciMessage): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(message)) {
    if (typeof value === 'string') parts.push(named(element.keyValue, name), valueOf(value));
    else if (Array.isArray(value)) {
      parts.push(named(element.listStart, name));
      for (const item of value) parts.push(Buffer.from([element.listItem]), valueOf(item));
      parts.push(Buffer.from([element.listEnd]));
    } else {
      parts.push(named(element.sectionStart, name), encodeMessage(value), Buffer.from([element.sectionEnd]));
    }
  }
  return Buffer.concat(parts);
}

/** Reads a message. Throws `bad-frame` for anything that is none. */
export function decodeMessage(bytes: Buffer): ViciMessage {
  const reader = new Reader(bytes);
  const message = section(reader, 0);
  if (!reader.isAtEnd) throw malformed('an end that it does not have');
  return message;
}

function section(reader: Reader, depth: number): ViciMessage {
  if (depth > mostDepth) throw malformed('too many sections within each other');
  // No prototype: a name may be any text.
  const message = Object.create(null) as ViciMessage;
  while (!reader.isAtEnd) {
    const kind = reader.byte();
    switch (kind) {
      case element.keyValue: {
        const name = reader.name();
        message[name] = reader.value();
        break;
      }
      case element.listStart: {
        const name = reader.name();
        message[name] = list(reader);
        break;
      }
      case element.sectionStart: {
        const name = reader.name();
        message[name] = section(reader, depth + 1);
        break;
      }
      case element.sectionEnd:
        if (depth === 0) throw malformed('an end of no section');
        return message;
      default:
        throw malformed(`an element ${String(kind)}`);
    }
  }
  if (depth > 0) throw malformed('a section without its end');
  return message;
}

function list(reader: Reader): string[] {
  const items: string[] = [];
  for (;;) {
    const kind = reader.byte();
    if (kind === element.listEnd) return items;
    if (kind !== element.listItem) throw malformed(`an element ${String(kind)} in a list`);
    items.push(reader.value());
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    return this.#take(1).readUInt8();
  }

  name(): string {
    return this.#take(this.byte()).toString('utf8');
  }

  value(): string {
    return this.#take(this.#take(2).readUInt16BE()).toString('utf8');
  }

  #take(bytes: number): Buffer {
    const end = this.#at + bytes;
    if (end > this.#bytes.length) throw malformed('fewer bytes than it says');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function named(kind: number, name: string): Buffer {
  const text = Buffer.from(name);
  if (text.length > 0xff) throw new SealiftError('internal', `a name of ${String(text.length)} bytes is no vici name`);
  return Buffer.concat([Buffer.from([kind, text.length]), text]);
}

function valueOf(value: string): Buffer {
  const text = Buffer.from(value);
  if (text.length > 0xffff) throw new SealiftError('internal', `${String(text.length)} bytes are no vici value`);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, text]);
}

function malformed(what: string): SealiftError {
  return new SealiftError('bad-frame', `a message of strongSwan has ${what}`);
}
