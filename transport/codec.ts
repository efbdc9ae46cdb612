import { chunkDigest, chunkKeys, openChunk, sealChunk, zeroDigest } from '../seal/chunk.ts';
import type { ChunkHeader, ChunkKeys, ChunkPlace } from '../seal/chunk.ts';
import type { SessionKeys } from '../seal/session.ts';

/**
 * What is done to a chunk at both ends. The product has one, below; the bench puts another in its place to measure what
 * sealing and digests cost. A codec's module exports it as `codec`.
 */
export interface Codec {
  keys(session: SessionKeys, disk: number): ChunkKeys;
  /** As `sealChunk`. */
  seal(plain: Buffer, at: ChunkPlace, keys: ChunkKeys, options: { compress: boolean }, body: Buffer): ChunkHeader;
  /** As `openChunk`. */
  open(header: ChunkHeader, body: Buffer, keys: ChunkKeys, plain: Buffer): void;
  digest(plain: Buffer): Buffer;
  zeroDigest(bytes: number): Buffer;
}

/** Loaded by its address, so that a bench may put another in its place. @public */
export const codec: Codec = {
  keys: chunkKeys,
  seal: sealChunk,
  open: openChunk,
  digest: chunkDigest,
  zeroDigest,
};

/** Loads the codec of module `url` (this one's URL in the product). */
export async function loadCodec(url: string): Promise<Codec> {
  if (url === import.meta.url) return codec;
  const module = (await import(url)) as { codec: Codec };
  return module.codec;
}

/** The URL of the product's codec. */
export const codecUrl = import.meta.url;
