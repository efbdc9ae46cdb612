import { everything } from './actions.ts';
import type { Action } from './actions.ts';
import { enabled } from './guards.ts';
import { at, hasWholeCopy, isReturning } from './state.ts';
import type { Model, Said } from './state.ts';

/** The names of the promises that the state breaks. */
export function broken(model: Model): string[] {
  const { deeds, hosts } = model;
  // A VM that nobody has adopted is not Sealift's, and a host that is gone has none.
  const known = hosts.filter(({ gone, token }) => !gone && token !== 0);
  const possible = (...kinds: Action['kind'][]): Action[] =>
    everything(model).filter((action) => kinds.includes(action.kind) && enabled(model, action));
  const names: string[] = [];
  if (known.filter(({ running }) => running).length > 1) names.push('OneRuns');
  if (known.filter(({ state }) => state === 'holder').length > 1) names.push('OneHolder');
  if (known.some((host) => (host.running || host.unfencing || !host.fenced) && host.state !== 'holder')) {
    names.push('OnlyHolder');
  }
  const lost = ({ to, token, disk }: Said): boolean => {
    const host = at(hosts, to);
    return host.state === 'holder' && host.token === token && (host.disk ?? -1) < disk;
  };
  if (deeds.some(lost)) names.push('NothingLost');
  const heirs = possible('accept', 'takeBack').map(({ h }) => at(hosts, h));
  if ([...known.filter(({ state }) => state === 'holder'), ...heirs].some(({ disk }) => disk === null)) {
    names.push('CopyKept');
  }
  const canGoOn =
    hosts.every(({ token }) => token === 0) ||
    known.some(({ state }) => state === 'holder') ||
    // What was given back to a host that is gone waits for it to heed.
    possible('accept', 'takeBack', 'beginReturn', 'giveBack', 'heed', 'quell').length > 0 ||
    // an operator may claim again: the host that was claimed against may have had nothing to take back
    (model.claims.length > 0 && hosts.some((_, h) => hasWholeCopy(model, h))) ||
    // a return under way, not fenced yet
    known.some(isReturning);
  if (!canGoOn) names.push('NeverStranded');
  return names;
}
