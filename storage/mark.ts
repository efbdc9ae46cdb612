import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { parseJson } from '../domain/json.ts';
import { lineage, token, vmName, vmUuid } from '../domain/names.ts';
import { removeFileDurably, writeFileDurably } from './durable-file.ts';
import type { Environment } from './lvm.ts';
import { readVolumeMark, setVolumeMark } from './volume-mark.ts';
import type { Place } from './volume.ts';

const markShape = z.strictObject({
  v: z.literal(1),
  lineage,
  token,
  /** `source`: the fenced copy of a host that ceded or is about to. `landing`: a disk that a landing made. */
  role: z.enum(['source', 'landing']),
  vmUuid,
  vmName,
});
/** What a fence leaves beside a disk, or on its volume as a tag, so that a host with another or no database still sees whose it is. */
export type Mark = z.infer<typeof markShape>;

const longestMarkBytes = 4096;

/** Where the mark of a disk lies that is a file. */
export function markPath(diskPath: string): string {
  return `${diskPath}.sealift`;
}

/** A mark's text, as it lies beside a disk. */
export function markText(mark: Mark): string {
  return JSON.stringify(markShape.parse(mark));
}

/**
 * Leaves `mark` with the disk, durably; the same mark twice is fine. `env`: variables for a program that is run for it. Throws `unknown-state` when the disk carries the
 * mark of another lineage or of a later token: a late step must not talk over a newer one.
 */
export async function writeMark(disk: Place, mark: Mark, env: Environment = {}): Promise<void> {
  const text = markText(mark);
  const found = await readMark(disk);
  if (found !== null) {
    if (found.lineage !== mark.lineage || found.token > mark.token) {
      throw new SealiftError(
        'unknown-state',
        `disk ${disk.path} is marked for lineage ${found.lineage} token ${String(found.token)}, ` +
          `so not for ${mark.lineage} token ${String(mark.token)}`,
      );
    }
  }
  if (disk.volume !== undefined) await setVolumeMark(disk.volume, text, env);
  else await writeFileDurably(dom0(), markPath(disk.path), `${text}\n`, 0o600);
}

/** The mark of a disk, or null. Throws `unknown-state` when there is one that does not parse, `lvm-failed`. */
export async function readMark({ path, volume }: Place): Promise<Mark | null> {
  const text = volume === undefined ? await readShortFile(markPath(path)) : await readVolumeMark(volume);
  return text === null ? null : parseMark(text, path);
}

/** The mark that `text` is. Throws `unknown-state`. */
export function parseMark(text: string, path: string): Mark {
  const parsed = markShape.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SealiftError('unknown-state', `the mark of ${path} does not parse`);
}

/** Takes the mark away, durably; it need not be there. */
export async function removeMark({ path, volume }: Place, env: Environment = {}): Promise<void> {
  if (volume === undefined) await removeFileDurably(dom0(), markPath(path));
  else await setVolumeMark(volume, null, env);
}

async function readShortFile(path: string): Promise<string | null> {
  let handle;
  try {
    // A link, or a pipe that would keep us waiting, is no mark of ours.
    handle = await dom0().open(path, 'read', { plain: true });
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    if (isSealiftError(error)) throw error;
    throw new SealiftError('unknown-state', `mark ${path} cannot be read: ${errorCode(error)}`, { cause: error });
  }
  try {
    const buffer = Buffer.alloc(longestMarkBytes);
    const { bytesRead } = await handle.read(buffer, 0, longestMarkBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (isSealiftError(error)) throw error;
    throw new SealiftError('unknown-state', `mark ${path} cannot be read: ${errorCode(error)}`, { cause: error });
  } finally {
    await handle.close();
  }
}
