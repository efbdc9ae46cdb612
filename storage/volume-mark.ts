import { SealiftError } from '../domain/error.ts';
import type { Environment, LogicalVolume } from './lvm.ts';
import { findVolume, requireVolume, retagVolume } from './volume.ts';
import type { Volume } from './volume.ts';

const prefix = 'sealift.mark=';

/** The tag that carries a mark's text; LVM takes these letters and 1,024 of them. */
export function markTag(text: string): string {
  return prefix + Buffer.from(text).toString('base64url');
}

/** The text of a volume's mark; null without one, or without the volume. Throws `unknown-state` when it has two, `lvm-failed`. */
export async function readVolumeMark(volume: Volume): Promise<string | null> {
  const found = await findVolume(volume);
  return found === null ? null : markTextOf(found);
}

/** The same of what LVM has said. */
export function markTextOf(found: LogicalVolume): string | null {
  const [tag, another] = markTags(found);
  if (another !== undefined) {
    throw new SealiftError('unknown-state', `logical volume ${found.group}/${found.name} has two marks`);
  }
  return tag === undefined ? null : Buffer.from(tag.slice(prefix.length), 'base64url').toString('utf8');
}

/** Puts `text` in the place of a mark that is there, durably; null takes the mark away. Throws `disk-missing`, `lvm-failed`. */
export async function setVolumeMark(volume: Volume, text: string | null, env: Environment): Promise<void> {
  const found = await requireVolume(volume);
  const old = markTags(found);
  const wanted = text === null ? [] : [markTag(text)];
  await retagVolume(
    found,
    old.filter((tag) => !wanted.includes(tag)),
    wanted.filter((tag) => !old.includes(tag)),
    env,
  );
}

function markTags({ tags }: LogicalVolume): string[] {
  return tags.filter((tag) => tag.startsWith(prefix));
}
