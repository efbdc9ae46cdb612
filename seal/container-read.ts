import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { DiskShape } from '../domain/manifest.ts';
import type { Session, Signed } from '../domain/statement.ts';
import { canonicalJson } from './canonical.ts';
import { headerBytes } from './chunk.ts';
import { badContainer, checkEnd, structureSum } from './container-format.ts';
import type { ContainerHead } from './container-format.ts';
import { unsealChunks } from './container-open.ts';
import type { ChunkSource, UnsealOptions } from './container-open.ts';
import { readBody, readEnd, readHead, walkRecords } from './container-walk.ts';
import { decodeManifest, manifestRoot, openManifest } from './manifest.ts';
import type { WholeManifest } from './manifest.ts';
import type { SessionKeys } from './session.ts';

/** What the landing knows of the run before it opens the file. */
export interface ContainerExpectation {
  lineage: string;
  token: number;
  /** The session's number, when only one will do. */
  number?: number;
  disks?: readonly DiskShape[];
}

export interface ReadInput {
  path: string;
  expect: ContainerExpectation;
  /** Checks the session's signature and number and unwraps its key; what it throws is passed on. */
  authorize(session: Signed<Session>): Promise<SessionKeys>;
  signal?: AbortSignal;
}

/** A container whose structure and manifest have verified. */
export interface Container extends WholeManifest {
  session: Signed<Session>;
  disks: DiskShape[];
  /** What `decodeManifest` reads. */
  manifestBytes: Buffer;
  root: string;
  fileBytes: number;
  /**
   * Opens the chunks that are wanted, in order. Each is verified, and compared with the manifest, before it is handed
   * over. Throws 'bad-container', what the callback throws, and the signal's reason.
   */
  unseal(options: UnsealOptions): Promise<{ plainBytes: number; chunks: number }>;
  close(): Promise<void>;
}

/**
 * Opens a container and verifies all of its structure before anything is used: it is whole, of this run and session, every
 * header is the one that the sealer wrote, and the manifest verifies and is for these disks. Only headers and the manifest
 * are read. Throws 'bad-container' naming what is wrong and where, 'disk-io', and what `authorize` throws.
 */
export async function readContainer(input: ReadInput): Promise<Container> {
  const file = await opened(input.path);
  try {
    return await verified(file, input);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw badContainer('cannot be opened', error);
  }
}

async function verified(file: FileHandle, input: ReadInput): Promise<Container> {
  const { head, bytes } = await readHead(file);
  checkRun(head, input.expect);
  const keys = await input.authorize(head.session);
  const source: ChunkSource = { file, head, headLength: bytes.length, keys, digests: null };
  const { pieces, fileBytes } = await checkStructure(source, bytes, input.signal);
  const manifestBytes = sound(() => openManifest(pieces, keys));
  const whole = sound(() => decodeManifest(manifestBytes));
  checkManifest(whole, head);
  const { disks } = head;
  return {
    ...whole,
    session: head.session,
    disks,
    manifestBytes,
    root: manifestRoot(whole.manifest),
    fileBytes,
    unseal: (options) => unsealChunks({ ...source, digests: whole.digests }, options),
    close: () => file.close(),
  };
}

/** Reads every header, the manifest's pieces and the end record, and compares them. Returns the pieces. */
async function checkStructure(
  source: ChunkSource,
  headBytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<{ pieces: Buffer[]; fileBytes: number }> {
  const { file, head, keys } = source;
  const sum = structureSum().update(headBytes);
  const pieces: Buffer[] = [];
  let records = 0;
  let endsAt = headBytes.length;
  for await (const record of walkRecords(file, head, headBytes.length, true)) {
    signal?.throwIfAborted();
    sum.update(record.headerRaw);
    records += 1;
    endsAt = record.bodyAt + record.header.bodyBytes;
    if (record.header.disk >= head.disks.length) {
      const piece = Buffer.alloc(headerBytes + record.header.bodyBytes);
      record.headerRaw.copy(piece);
      await readBody(file, record, piece.subarray(headerBytes));
      pieces.push(piece);
    }
  }
  const end = await readEnd(file, endsAt);
  if (checkEnd(end, { records, endsAt, digest: sum.digest() }, keys) === 'digest') {
    // Reading everything costs minutes, but then the error can say which record it is.
    await unsealChunks(source, { onChunk: () => Promise.resolve(), ...(signal === undefined ? {} : { signal }) });
    throw badContainer('has another head or manifest than its end record names');
  }
  return { pieces, fileBytes: endsAt + end.length };
}

function checkRun(head: ContainerHead, expect: ContainerExpectation): void {
  const { lineage, token, number } = head.session.body;
  if (lineage !== expect.lineage) throw badContainer(`is of another vm: lineage ${lineage}, not ${expect.lineage}`);
  if (token !== expect.token)
    throw badContainer(`is of another run: token ${String(token)}, not ${String(expect.token)}`);
  if (expect.number !== undefined && number !== expect.number) {
    throw badContainer(`is of another session: number ${String(number)}, not ${String(expect.number)}`);
  }
  if (
    expect.disks !== undefined &&
    canonicalJson(expect.disks.map(shapeOf)) !== canonicalJson(head.disks.map(shapeOf))
  ) {
    throw badContainer('has other disks than the run');
  }
}

function checkManifest(whole: WholeManifest, head: ContainerHead): void {
  const { lineage, token, disks } = whole.manifest;
  const { body } = head.session;
  const isOfSession = lineage === body.lineage && token === body.token;
  const isOfDisks = canonicalJson(disks.map(shapeOf)) === canonicalJson(head.disks.map(shapeOf));
  if (!isOfSession || !isOfDisks) throw badContainer('has a manifest of another run or other disks');
}

/** A disk's shape alone, whatever else the value carries. */
function shapeOf({ vdev, sizeBytes, sectorBytes }: DiskShape): DiskShape {
  return { vdev, sizeBytes, sectorBytes };
}

function sound<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw badContainer('has a manifest that does not verify', error);
  }
}
