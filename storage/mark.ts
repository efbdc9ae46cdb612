import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { parseJson } from '../domain/json.ts';
import { lineage, token, vmName, vmUuid } from '../domain/names.ts';
import { errorCode, removeFileDurably, writeFileDurably } from './durable-file.ts';

const markShape = z.strictObject({
  v: z.literal(1),
  lineage,
  token,
  /** `source`: the fenced copy of a host that ceded or is about to. `landing`: a disk that a landing made. */
  role: z.enum(['source', 'landing']),
  vmUuid,
  vmName,
});
/** What a fence leaves beside a disk, so that a host with another or no database still sees whose it is. */
export type Mark = z.infer<typeof markShape>;

const longestMarkBytes = 4096;

/** Where the mark of a disk lies. */
export function markPath(diskPath: string): string {
  return `${diskPath}.sealift`;
}

/**
 * Leaves `mark` beside the disk, durably; the same mark twice is fine. Throws `unknown-state` when the disk carries the
 * mark of another lineage or of a later token: a late step must not talk over a newer one.
 */
export async function writeMark(diskPath: string, mark: Mark): Promise<void> {
  const text = `${JSON.stringify(markShape.parse(mark))}\n`;
  const found = await readMark(diskPath);
  if (found !== null) {
    if (found.lineage !== mark.lineage || found.token > mark.token) {
      throw new SealiftError(
        'unknown-state',
        `disk ${diskPath} is marked for lineage ${found.lineage} token ${String(found.token)}, ` +
          `so not for ${mark.lineage} token ${String(mark.token)}`,
      );
    }
  }
  await writeFileDurably(markPath(diskPath), text, 0o600);
}

/** The mark beside a disk, or null. Throws `unknown-state` when there is one that does not parse. */
export async function readMark(diskPath: string): Promise<Mark | null> {
  const text = await readShortFile(markPath(diskPath));
  if (text === null) return null;
  const parsed = markShape.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new SealiftError('unknown-state', `mark ${markPath(diskPath)} does not parse`);
  }
  return parsed.data;
}

/** Takes the mark away, durably; it need not be there. */
export async function removeMark(diskPath: string): Promise<void> {
  await removeFileDurably(markPath(diskPath));
}

async function readShortFile(path: string): Promise<string | null> {
  let handle;
  try {
    // A link, or a pipe that would keep us waiting, is no mark of ours.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw new SealiftError('unknown-state', `mark ${path} cannot be read: ${errorCode(error)}`, { cause: error });
  }
  try {
    const buffer = Buffer.alloc(longestMarkBytes);
    const { bytesRead } = await handle.read(buffer, 0, longestMarkBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    throw new SealiftError('unknown-state', `mark ${path} cannot be read: ${errorCode(error)}`, { cause: error });
  } finally {
    await handle.close();
  }
}
