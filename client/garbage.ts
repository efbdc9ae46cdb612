import type { GarbageItem } from '../activities/port.ts';
import { isSealiftError } from '../domain/error.ts';
import { askHost } from './ask-host.ts';
import type { Link } from './link.ts';
import type { GarbageRemoval } from './types.ts';

/** What a host keeps and no longer needs. A landing whose source has not given it up, or cannot be asked, is not listed. */
export async function listGarbage(link: Link, host: string): Promise<GarbageItem[]> {
  const items = await askHost(link, host, 'listGarbage');
  const free = await Promise.all(items.map((item) => isFree(link, item)));
  return items.filter((_, index) => free[index] === true);
}

/** Removes items of that list for good. Throws 'bad-usage', with nothing removed, for an id that is not in it. */
export async function removeGarbage(
  link: Link,
  ask: { host: string; ids: string[]; by: string },
): Promise<GarbageRemoval> {
  const { host, ids, by } = ask;
  const asked = (await listGarbage(link, host)).filter(({ source }) => source !== null);
  const givenUp = asked.map(({ id }) => id).filter((id) => ids.includes(id));
  return askHost(link, host, 'removeGarbage', { ids, givenUp, by });
}

async function isFree(link: Link, { id, source }: GarbageItem): Promise<boolean> {
  if (source === null) return true;
  try {
    return (await askHost(link, source, 'runState', { migrationId: id })).run === 'aborted';
  } catch (error) {
    if (isSealiftError(error)) return false;
    throw error;
  }
}
