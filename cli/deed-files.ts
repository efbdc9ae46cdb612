import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { deedReport } from '../domain/deed-report.ts';
import type { DeedReport } from '../domain/deed-report.ts';
import { SealiftError } from '../domain/error.ts';
import { parseJson } from '../domain/json.ts';

const carried = z.object({ reports: z.array(deedReport).min(1) });

/** Other hosts' sides of a deed from the files that a person brought. Throws `bad-usage`. */
export async function readPeers(paths: string[]): Promise<DeedReport[]> {
  const all = await Promise.all(paths.map(readPeer));
  return all.flat();
}

async function readPeer(path: string): Promise<DeedReport[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SealiftError('bad-usage', `the other host's side cannot be read: ${path}`, { cause: error });
  });
  const parsed = carried.safeParse(parseJson(text));
  if (parsed.success) return parsed.data.reports;
  throw new SealiftError('bad-usage', `not what \`sealift deed show --json\` prints: ${path}`);
}
