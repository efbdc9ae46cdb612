import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { constants, copyFile, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cached } from '../../infra/lab/cached.ts';
import { makeFileSystemImage } from '../../infra/lab/image.ts';
import { fillRandom } from '../image.ts';
import type { Point } from './plan.ts';

const cacheFolder = resolve('.sealift/cache/experiment');
const mib = 1024 * 1024;

/** A disk's content. */
export interface Payload {
  path: string;
  bytes: number;
  sha256: string;
}

/** Makes it, unless it is in the cache. Its last MiB is taken: a stand-in's guest finds no place for records of its own, and leaves the bytes as they are. */
export async function makePayload({ payload, payloadMib }: Pick<Point, 'payload' | 'payloadMib'>): Promise<Payload> {
  const bytes = payloadMib * mib;
  const folder = await cached(cacheFolder, `payload-${payload}-${String(payloadMib)}`, ['1'], async (made) => {
    const path = join(made, 'disk.raw');
    if (payload === 'random') await fillRandom(path, bytes);
    else {
      await makeFileSystemImage(path, bytes - mib);
      await takeLastMib(path, bytes);
    }
    await writeFile(join(made, 'sha256'), await sha256Of(path));
  });
  return { path: join(folder, 'disk.raw'), bytes, sha256: await readFile(join(folder, 'sha256'), 'utf8') };
}

/** A copy that is on the disk when it returns, so that no writing of it meets what is measured. */
export async function placePayload(payload: Payload, path: string): Promise<void> {
  await rm(path, { force: true });
  await copyFile(payload.path, path, constants.COPYFILE_FICLONE);
  const file = await open(path, 'r+');
  await file.sync();
  await file.close();
}

/** Throws when a file has not the payload's bytes. */
export async function verifyPayload(payload: Payload, path: string): Promise<void> {
  if ((await sha256Of(path)) !== payload.sha256) throw new Error('the destination has other bytes than the source');
}

async function takeLastMib(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.truncate(bytes);
  await file.write('end of the payload', bytes - mib);
  await file.sync();
  await file.close();
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 4 * mib })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
