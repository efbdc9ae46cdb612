import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { SealiftError } from '../domain/error.ts';
import { isErrorType } from '../domain/error-types.ts';
import type { ErrorType } from '../domain/error-types.ts';
import { protocolVersion } from '../domain/protocol.ts';
import type { SessionKeys } from '../seal/session.ts';

/** Specification constants of a connection's first frames, which are not encrypted; see docs/format.md, "Data connection". */
export const openingHeadBytes = 12;
export const randomBytesLength = 32;
export const leastPingBytes = 8;
/** More than a packet holds. */
export const mostPingBytes = 2 * 1024;
const macBytes = 32;
/** The signed session statement has some 900 bytes. */
const maximumStatementBytes = 8 * 1024;
const maximumHelloBytes = 15 * 1024;
/** A question in full; a configuration has a few kilobytes. */
export const maximumQuestionBytes = 256 * 1024;
const magic = 0x534c4f31; // 'SLO1'

export const openingKind = {
  hello: 1,
  welcome: 2,
  refused: 3,
  ping: 4,
  pong: 5,
  ask: 6,
  askKey: 7,
  question: 8,
  answer: 9,
} as const;
export type OpeningKind = (typeof openingKind)[keyof typeof openingKind];

const helloFixedBytes = randomBytesLength + 2 + macBytes + 2;
/**
 * What a new connection may send at once, ten packets of an MTU of 1,500 at least. A hello is filled up to that: its acknowledgement doubles the window, a
 * round trip before there are records to do it.
 */
const firstWindowBytes = 10 * 1_440;
const welcomeBytes = randomBytesLength + 3 + macBytes;
const limits: Record<OpeningKind, { least: number; most: number }> = {
  [openingKind.hello]: { least: helloFixedBytes + 2, most: maximumHelloBytes },
  [openingKind.welcome]: { least: welcomeBytes, most: welcomeBytes },
  [openingKind.refused]: { least: 2, most: 1024 },
  [openingKind.ping]: { least: leastPingBytes, most: mostPingBytes },
  [openingKind.pong]: { least: leastPingBytes, most: mostPingBytes },
  [openingKind.ask]: { least: randomBytesLength, most: randomBytesLength },
  [openingKind.askKey]: { least: 2, most: 1024 },
  [openingKind.question]: { least: 2, most: maximumQuestionBytes },
  [openingKind.answer]: { least: 28, most: maximumQuestionBytes },
};

export interface OpeningHead {
  version: number;
  kind: OpeningKind;
  bodyBytes: number;
}

/** A sender's first frame: who it says it is (a signed session statement), for which stream, and that it has the session's key. */
export interface Hello {
  random: Buffer;
  stream: number;
  mac: Buffer;
  /** Canonical JSON of the signed session statement. */
  statement: Buffer;
}

/** The landing's answer: that it has the session's key too, and what a sender needs to know at once. */
export interface Welcome {
  random: Buffer;
  /** Which of its threads took the connection, of how many. */
  thread: number;
  threads: number;
  /** Whether it holds chunks of the run already; a sender that would send those waits until it was told which. */
  holds: boolean;
}

/** A frame of `kind`: 12 bytes of head, then the body. */
export function encodeOpening(kind: OpeningKind, body: Buffer): Buffer {
  const head = Buffer.alloc(openingHeadBytes);
  head.writeUInt32BE(magic, 0);
  head.writeUInt8(protocolVersion, 4);
  head.writeUInt8(kind, 5);
  head.writeUInt32BE(body.length, 8);
  return Buffer.concat([head, body]);
}

/** Reads a head. Throws 'bad-frame', and 'too-old' for another version, before anything is reserved for the body. */
export function decodeOpeningHead(from: Buffer): OpeningHead {
  if (from.length < openingHeadBytes || from.readUInt32BE(0) !== magic) throw bad('other magic bytes');
  const version = from.readUInt8(4);
  if (version !== protocolVersion) {
    throw new SealiftError(
      'too-old',
      `the peer speaks version ${String(version)}, this host ${String(protocolVersion)}`,
    );
  }
  const kind = from.readUInt8(5);
  if (!isKind(kind) || from.readUInt16BE(6) !== 0) throw bad(`kind ${String(kind)}`);
  const bodyBytes = from.readUInt32BE(8);
  const { least, most } = limits[kind];
  if (bodyBytes < least || bodyBytes > most) throw bad(`a body of ${String(bodyBytes)} bytes`);
  return { version, kind, bodyBytes };
}

export function encodeHello(keys: SessionKeys, random: Buffer, stream: number, statement: Buffer): Buffer {
  if (statement.length > maximumStatementBytes) throw bad(`a statement of ${String(statement.length)} bytes`);
  const mac = helloMac(keys, random, stream, statement);
  const told = [random, u16(stream), mac, u16(statement.length), statement];
  const filled = Buffer.alloc(Math.max(0, firstWindowBytes - openingHeadBytes - helloFixedBytes - statement.length));
  return encodeOpening(openingKind.hello, Buffer.concat([...told, filled]));
}

export function decodeHello(body: Buffer): Hello {
  const macStart = randomBytesLength + 2;
  const statementBytes = body.readUInt16BE(macStart + macBytes);
  if (statementBytes > maximumStatementBytes || helloFixedBytes + statementBytes > body.length)
    throw bad(`a statement of ${String(statementBytes)} bytes`);
  return {
    random: Buffer.from(body.subarray(0, randomBytesLength)),
    stream: body.readUInt16BE(randomBytesLength),
    mac: Buffer.from(body.subarray(macStart, macStart + macBytes)),
    statement: Buffer.from(body.subarray(helloFixedBytes, helloFixedBytes + statementBytes)),
  };
}

/** Throws 'tag-mismatch' when the sender of `hello` does not have the session's key. */
export function checkHello(keys: SessionKeys, hello: Hello): void {
  if (!timingSafeEqual(hello.mac, helloMac(keys, hello.random, hello.stream, hello.statement))) {
    throw new SealiftError('tag-mismatch', 'the first frame is not of one who has the key of the session');
  }
}

export function encodeWelcome(keys: SessionKeys, hello: Hello, answer: Welcome): Buffer {
  const said = Buffer.from([answer.thread, answer.threads, answer.holds ? 1 : 0]);
  const mac = welcomeMac(keys, hello.random, hello.stream, answer.random, said);
  return encodeOpening(openingKind.welcome, Buffer.concat([answer.random, said, mac]));
}

/** Reads the answer to a hello. Throws 'tag-mismatch' when it is not of one who unwrapped the session's key. */
export function decodeWelcome(keys: SessionKeys, sent: { random: Buffer; stream: number }, body: Buffer): Welcome {
  const random = Buffer.from(body.subarray(0, randomBytesLength));
  const said = body.subarray(randomBytesLength, randomBytesLength + 3);
  const mac = body.subarray(randomBytesLength + 3);
  if (!timingSafeEqual(mac, welcomeMac(keys, sent.random, sent.stream, random, said))) {
    throw new SealiftError('tag-mismatch', 'the landing did not prove that it has the key of the session');
  }
  return { random, thread: said.readUInt8(0), threads: said.readUInt8(1), holds: said.readUInt8(2) !== 0 };
}

/** A refusal, with nothing in it but a type and one line. */
export function encodeRefusal(error: { type: ErrorType; message: string }): Buffer {
  return Buffer.from(JSON.stringify({ type: error.type, message: error.message.slice(0, 400) }));
}

/** What a landing refused with. Before the keys are proved anybody on the way could have said it: so only known types, printable text. */
export function decodeRefusal(body: Buffer): SealiftError {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw bad('a refusal that does not parse');
  }
  if (!isRefusal(value)) throw bad('a refusal of another form');
  const { type, message } = value;
  return new SealiftError(isErrorType(type) ? type : 'landing-away', message.slice(0, 400).replace(/[^ -~]/g, '?'));
}

/** By hand, here and wherever a thread reads: zod would take 9 MiB in each. */
function isRefusal(value: unknown): value is { type: string; message: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    typeof value.type === 'string' &&
    'message' in value &&
    typeof value.message === 'string'
  );
}

function helloMac(keys: SessionKeys, random: Buffer, stream: number, statement: Buffer): Buffer {
  return openingMac(keys).update('hello\n').update(random).update(u16(stream)).update(statement).digest();
}

function welcomeMac(keys: SessionKeys, senderRandom: Buffer, stream: number, random: Buffer, said: Buffer): Buffer {
  return openingMac(keys)
    .update('welcome\n')
    .update(senderRandom)
    .update(u16(stream))
    .update(random)
    .update(said)
    .digest();
}

function openingMac(keys: SessionKeys): ReturnType<typeof createHmac> {
  return createHmac('sha256', Buffer.from(hkdfSync('sha256', keys.key, keys.context, 'sealift/1 opening', 32)));
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function isKind(value: number): value is OpeningKind {
  return value in limits;
}

function bad(what: string): SealiftError {
  return new SealiftError('bad-frame', `the first frame of a connection has ${what}`);
}
