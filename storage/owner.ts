import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { parseJson } from '../domain/json.ts';
import { writeFileDurably } from './durable-file.ts';
import { getFact, setFact } from './facts.ts';
import type { StateFolder } from './facts.ts';

const ownerShape = z.strictObject({
  v: z.literal(1),
  instance: z.uuid(),
  /** The state folder's real path. */
  folder: z.string(),
  /** `device:inode` of its `host.db`. */
  database: z.string().regex(/^\d+:\d+$/),
});
type Owner = z.infer<typeof ownerShape>;

/**
 * Makes the state the one owner of a dom0, by the mark `<xenEtcFolder>/sealift.owner` beside Xen's configuration; doing it again
 * is fine, also after the folder was moved. Throws `copied-host` when another state owns the dom0, when the state
 * is a copy, or when it owned a dom0 whose mark is not here; `unknown-state` when the mark does not parse; `bad-config` when
 * the folder is not there.
 */
export async function claimDom0(state: StateFolder, xenEtcFolder: string): Promise<void> {
  const path = join(xenEtcFolder, 'sealift.owner');
  const found = await readOwner(path);
  const mine = await describe(state);
  if (found === null) checkFirstClaim(state, path);
  else checkSame(found, mine, path);
  if (found?.folder !== mine.folder || found.database !== mine.database) {
    await writeOwner(path, mine);
  }
  // After the mark: a crash between leaves a mark with our instance, which is ours.
  if (getFact(state.database, 'dom0') === null) setFact(state.database, 'dom0', 'claimed');
}

async function describe(state: StateFolder): Promise<Owner> {
  const { dev, ino } = await stat(join(state.folder, 'host.db'), { bigint: true });
  return { v: 1, instance: state.instance, folder: state.folder, database: `${String(dev)}:${String(ino)}` };
}

/** A copied state that meets a dom0 without a mark has claimed one before. */
function checkFirstClaim(state: StateFolder, path: string): void {
  if (getFact(state.database, 'dom0') === null) return;
  throw new SealiftError('copied-host', `the state in ${state.folder} owns a dom0, but its mark ${path} is not here`, {
    hint: 'if this is still the same dom0, put the mark back; on another one, run sealift host init in a fresh folder',
  });
}

function checkSame(found: Owner, mine: Owner, path: string): void {
  const [, foundInode] = found.database.split(':');
  const [, mineInode] = mine.database.split(':');
  // Not the device: its number may change when the host reboots.
  if (found.instance === mine.instance && foundInode === mineInode) return;
  throw new SealiftError('copied-host', `${path} says that this dom0 is owned by the state in ${found.folder}`, {
    hint: `run the worker on ${found.folder}; a copied state folder must never be used`,
  });
}

async function readOwner(path: string): Promise<Owner | null> {
  let text: string;
  try {
    text = (await dom0().readFile(path)).toString('utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    if (isSealiftError(error)) throw error;
    throw new SealiftError('unknown-state', `mark ${path} cannot be read (${errorCode(error)})`, { cause: error });
  }
  const parsed = ownerShape.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SealiftError('unknown-state', `mark ${path} does not parse`);
}

async function writeOwner(path: string, owner: Owner): Promise<void> {
  try {
    await writeFileDurably(dom0(), path, `${JSON.stringify(owner)}\n`, 0o644);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'EACCES') throw error;
    throw new SealiftError('bad-config', `mark ${path} cannot be written (${errorCode(error)})`, { cause: error });
  }
}
