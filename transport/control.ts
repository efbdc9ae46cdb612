import { createCipheriv, createDecipheriv } from 'node:crypto';
import { SealiftError } from '../domain/error.ts';

/** Specification constants of the sealed frames beside the chunks. Their head has the length of a chunk record's. */
const controlHeadBytes = 48;
const boundBytes = 32;
const tagBytes = 16;
const magic = 0x534c4631; // 'SLF1'
const version = 1;
/** The most bytes of one frame's body. */
const maximumControlBytes = 256 * 1024 + 64;

export const controlKind = {
  // to the landing
  plan: 1,
  manifest: 2,
  /** In the place of a plan: a guest's memory follows. */
  memoryBegin: 3,
  memory: 4,
  /** What the record that follows holds. */
  digest: 5,
  // to the sender
  planned: 16,
  held: 17,
  acknowledged: 18,
  stored: 20,
  refused: 21,
  /** The guest is there, paused, with all its memory. */
  memoryHere: 22,
  // both ways
  beat: 32,
} as const;
export type ControlKind = (typeof controlKind)[keyof typeof controlKind];

const kinds = new Set<number>(Object.values(controlKind));
const cipherName = 'aes-256-gcm';

/** Seals the control frames of one direction of one connection: its key is of that direction alone, its nonce counts from 0. */
export class ControlSealer {
  readonly #key: Buffer;
  #counter = 0n;

  constructor(key: Buffer) {
    this.#key = key;
  }

  seal(kind: ControlKind, payload: Buffer = Buffer.alloc(0)): Buffer {
    const bodyBytes = 1 + payload.length;
    if (bodyBytes > maximumControlBytes) throw new SealiftError('internal', 'a control frame is too long');
    const frame = Buffer.alloc(controlHeadBytes + bodyBytes);
    frame.writeUInt32BE(magic, 0);
    frame.writeUInt8(version, 4);
    frame.writeUInt32BE(bodyBytes, 8);
    const cipher = createCipheriv(cipherName, this.#key, nonce(this.#counter), { authTagLength: tagBytes });
    this.#counter += 1n;
    cipher.setAAD(frame.subarray(0, boundBytes));
    cipher.update(Buffer.from([kind])).copy(frame, controlHeadBytes);
    cipher.update(payload).copy(frame, controlHeadBytes + 1);
    cipher.final();
    cipher.getAuthTag().copy(frame, boundBytes);
    return frame;
  }
}

/** Opens the control frames of one direction of one connection: each one once, and in the order in which they were sealed. */
export class ControlOpener {
  readonly #key: Buffer;
  #counter = 0n;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Throws 'tag-mismatch'; the connection is of no use after it. */
  open(head: Buffer, body: Buffer): { kind: ControlKind; payload: Buffer } {
    const decipher = createDecipheriv(cipherName, this.#key, nonce(this.#counter), { authTagLength: tagBytes });
    this.#counter += 1n;
    decipher.setAAD(head.subarray(0, boundBytes));
    decipher.setAuthTag(head.subarray(boundBytes, controlHeadBytes));
    const plain = decipher.update(body);
    try {
      decipher.final();
    } catch {
      throw new SealiftError('tag-mismatch', 'a control frame does not verify under its connection');
    }
    const kind = plain.readUInt8(0);
    if (!isControlKind(kind)) throw bad(`kind ${String(kind)}`);
    return { kind, payload: plain.subarray(1) };
  }
}

/** Whether `head` starts a control frame, not a chunk record. */
export function isControlHead(head: Buffer): boolean {
  return head.readUInt32BE(0) === magic;
}

/** The length of a control frame's body; throws 'bad-frame' before anything is reserved for it. */
export function controlBodyBytes(head: Buffer): number {
  if (!isControlHead(head) || head.readUInt8(4) !== version) throw bad('another form');
  const bodyBytes = head.readUInt32BE(8);
  if (bodyBytes < 1 || bodyBytes > maximumControlBytes) throw bad(`a body of ${String(bodyBytes)} bytes`);
  return bodyBytes;
}

/** What a sender says first on every connection; `decodePlan` in plan.ts reads it. */
export interface Plan {
  /** The disks as the sender has them; they must be the run's. */
  disks: { vdev: string; sizeBytes: number }[];
  /** Whether the landing shall say what it holds. */
  held: boolean;
  /** How often the landing shall give a sign of life. */
  beatMs: number;
}

export function encodePlan(plan: Plan): Buffer {
  return Buffer.from(JSON.stringify(plan));
}

/** What the sender of a guest's memory says first; `decodeMemoryBegin` in plan.ts reads it. */
export interface MemoryBegin {
  /** The guest's configuration, as its manifest will have it. */
  config: string;
  /** How often the landing shall give a sign of life. */
  beatMs: number;
}

/** The most of a guest's memory in one frame. */
export const memoryPieceBytes = 256 * 1024;

export interface Place {
  disk: number;
  index: number;
}
export interface HeldPlace extends Place {
  digest: Buffer;
}

/** The digest of a record's chunk, as its sender has read it. */
export interface RecordDigest extends Place {
  /** The record's, which no other one of the session has. */
  counter: bigint;
  digest: Buffer;
}

const placeBytes = 6;
const recordDigestBytes = placeBytes + 8 + 32;
const heldBytes = placeBytes + 32;
/** How many held chunks go into one frame. */
export const heldPerFrame = 4096;

export function encodePlaces(places: readonly Place[]): Buffer {
  const bytes = Buffer.alloc(places.length * placeBytes);
  places.forEach((place, at) => {
    putPlace(bytes, at * placeBytes, place);
  });
  return bytes;
}

export function decodePlaces(payload: Buffer): Place[] {
  return split(payload, placeBytes).map((part) => getPlace(part));
}

export function encodeHeld(held: readonly HeldPlace[]): Buffer {
  const bytes = Buffer.alloc(held.length * heldBytes);
  held.forEach((chunk, at) => {
    putPlace(bytes, at * heldBytes, chunk);
    chunk.digest.copy(bytes, at * heldBytes + placeBytes);
  });
  return bytes;
}

export function decodeHeld(payload: Buffer): HeldPlace[] {
  return split(payload, heldBytes).map((part) => ({ ...getPlace(part), digest: part.subarray(placeBytes) }));
}

export function encodeRecordDigest(told: RecordDigest): Buffer {
  const bytes = Buffer.alloc(recordDigestBytes);
  putPlace(bytes, 0, told);
  bytes.writeBigUInt64BE(told.counter, placeBytes);
  told.digest.copy(bytes, placeBytes + 8);
  return bytes;
}

export function decodeRecordDigest(payload: Buffer): RecordDigest {
  if (payload.length !== recordDigestBytes) throw bad('a digest of another form');
  return {
    ...getPlace(payload),
    counter: payload.readBigUInt64BE(placeBytes),
    digest: Buffer.from(payload.subarray(placeBytes + 8)),
  };
}

/** How much a manifest frame carries of the manifest's bytes. */
export const manifestPartBytes = 256 * 1024 - 64;

export function encodeManifestPart(offset: number, total: number, part: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(offset, 0);
  head.writeUInt32BE(total, 4);
  return Buffer.concat([head, part]);
}

export function decodeManifestPart(payload: Buffer): { offset: number; total: number; part: Buffer } {
  if (payload.length < 9) throw bad('a part of a manifest without bytes');
  const part = payload.subarray(8);
  const offset = payload.readUInt32BE(0);
  const total = payload.readUInt32BE(4);
  if (offset + part.length > total) throw bad('a part beyond the end of its manifest');
  return { offset, total, part };
}

/** A sign of life; the landing tells what came in on this connection, and whether it is itself what keeps the rest waiting. */
export interface Beat {
  receivedBytes: number;
  busy: boolean;
}

export function encodeBeat(beat: Beat): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeBigUInt64BE(BigInt(beat.receivedBytes), 0);
  bytes.writeUInt8(beat.busy ? 1 : 0, 8);
  return bytes;
}

export function decodeBeat(payload: Buffer): Beat {
  if (payload.length !== 9) throw bad('a beat of another form');
  return { receivedBytes: Number(payload.readBigUInt64BE(0)), busy: payload.readUInt8(8) === 1 };
}

function putPlace(bytes: Buffer, at: number, place: Place): void {
  bytes.writeUInt16BE(place.disk, at);
  bytes.writeUInt32BE(place.index, at + 2);
}

function getPlace(bytes: Buffer): Place {
  return { disk: bytes.readUInt16BE(0), index: bytes.readUInt32BE(2) };
}

function split(payload: Buffer, itemBytes: number): Buffer[] {
  if (payload.length % itemBytes !== 0) throw bad('a list cut short');
  return Array.from({ length: payload.length / itemBytes }, (_, at) =>
    payload.subarray(at * itemBytes, (at + 1) * itemBytes),
  );
}

function nonce(counter: bigint): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(counter, 4);
  return bytes;
}

function isControlKind(value: number): value is ControlKind {
  return kinds.has(value);
}

function bad(what: string): SealiftError {
  return new SealiftError('bad-frame', `a control frame has ${what}`);
}
