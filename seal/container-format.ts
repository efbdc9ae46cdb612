import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { chunkCount } from '../domain/chunks.ts';
import { diskShape } from '../domain/manifest.ts';
import type { DiskShape } from '../domain/manifest.ts';
import { signedSession } from '../domain/statement.ts';
import type { Session, Signed } from '../domain/statement.ts';
import { canonicalBytes, parseCanonical } from './canonical.ts';
import { manifestDisk, sealedDiskBytes } from './chunk.ts';
import { containerKey } from './session.ts';
import type { SessionKeys } from './session.ts';

/** Format constants, frozen. */
export const headPrefixBytes = 12;
export const endBytes = 88;
const headMagic = 0x534c5331; // 'SLS1'
const endMagic = 0x534c4531; // 'SLE1'
const version = 1;
const digestAt = 24;
const tagAt = 56;
/** Bounds what is parsed before anything is authentic. */
const maximumHeadTextBytes = 8 * 1024 * 1024;

const headText = z.strictObject({
  disks: z.array(diskShape).max(manifestDisk - 1),
  session: signedSession,
});

/** What stands at the start of a container, in clear: who seals for whom, and the disks' shapes. */
export interface ContainerHead {
  session: Signed<Session>;
  disks: DiskShape[];
}

/** What the end record says of the file before it. */
export interface ContainerEnd {
  /** Number of records, the manifest's included. */
  records: number;
  /** Length of the file before the end record. */
  endsAt: number;
  /** SHA-256 over the head and every record's header. */
  digest: Buffer;
}

/** The bytes of a head: magic, version, length of the text, and the text as canonical JSON. */
export function encodeHead(head: ContainerHead): Buffer {
  const text = canonicalBytes({ disks: head.disks, session: head.session });
  const prefix = Buffer.alloc(headPrefixBytes);
  prefix.writeUInt32BE(headMagic, 0);
  prefix.writeUInt8(version, 4);
  prefix.writeUInt32BE(text.length, 8);
  return Buffer.concat([prefix, text]);
}

/** The length of the text that follows a head's first 12 bytes. */
export function headTextBytes(prefix: Buffer): number {
  if (prefix.readUInt32BE(0) !== headMagic) throw badContainer('does not begin as a container does');
  if (prefix.readUInt32BE(4) !== version * 0x1000000) throw badContainer('is of another version');
  const textBytes = prefix.readUInt32BE(8);
  if (textBytes > maximumHeadTextBytes) throw badContainer(`has a head of ${String(textBytes)} bytes`);
  return textBytes;
}

/** Reads a head's text. Nothing of it is authentic before the signature and the end record have been checked. */
export function decodeHeadText(text: Buffer): ContainerHead {
  let value: unknown;
  try {
    value = parseCanonical(text);
  } catch {
    throw badContainer('has a head that is not canonical json');
  }
  const parsed = headText.safeParse(value);
  if (!parsed.success) throw badContainer('has a head of another form');
  return parsed.data;
}

/** The sum that an end record closes; it takes the head's bytes, then each record's header. */
export function structureSum(): Hash {
  return createHash('sha256').update('sealift/1 container\n');
}

/** The bytes of an end record: magic, version, records, length of the file before it, digest, and the tag over all that. */
export function encodeEnd(end: ContainerEnd, keys: SessionKeys): Buffer {
  const bytes = Buffer.alloc(endBytes);
  bytes.writeUInt32BE(endMagic, 0);
  bytes.writeUInt8(version, 4);
  bytes.writeBigUInt64BE(BigInt(end.records), 8);
  bytes.writeBigUInt64BE(BigInt(end.endsAt), 16);
  end.digest.copy(bytes, digestAt);
  endTag(bytes, keys).copy(bytes, tagAt);
  return bytes;
}

/** Whether a record's place in the file is taken by the end record. */
export function isEnd(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32BE(0) === endMagic;
}

/** Whether `bytes` is the end record of this session for a file that is as `end` says; 'digest' when only the digest differs. */
export function checkEnd(bytes: Buffer, end: ContainerEnd, keys: SessionKeys): 'good' | 'digest' {
  if (!timingSafeEqual(endTag(bytes, keys), bytes.subarray(tagAt, endBytes))) {
    throw badContainer('has an end record that does not verify under its session');
  }
  const expected = encodeEnd(end, keys);
  if (expected.equals(bytes)) return 'good';
  if (!expected.subarray(0, digestAt).equals(bytes.subarray(0, digestAt))) {
    throw badContainer(`has ${String(end.records)} records where its end record names others`);
  }
  return 'digest';
}

/**
 * The most bytes that a container of these disks takes, with a configuration of `configBytes`: what a staging area must
 * have free.
 */
export function containerBytesAtMost(disks: readonly { sizeBytes: number }[], configBytes: number): number {
  const chunks = disks.reduce((sum, disk) => sum + chunkCount(disk.sizeBytes), 0);
  const records = disks.reduce((sum, disk) => sum + sealedDiskBytes(disk.sizeBytes), 0);
  const head = headPrefixBytes + 4096 + disks.length * 128;
  // JSON escapes a byte of the configuration in six at most.
  const manifest = sealedDiskBytes(1024 + disks.length * 192 + configBytes * 6 + chunks * 32);
  return head + records + manifest + endBytes;
}

/** An error about the container as a whole; `what` goes on after "the container". */
export function badContainer(what: string, cause?: unknown): SealiftError {
  return new SealiftError('bad-container', `the container ${what}`, cause === undefined ? {} : { cause });
}

function endTag(bytes: Buffer, keys: SessionKeys): Buffer {
  return createHmac('sha256', containerKey(keys)).update(bytes.subarray(0, tagAt)).digest();
}
