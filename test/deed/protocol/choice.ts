import type { Action } from '../model/actions.ts';
import { isGivenUp } from '../model/guards.ts';
import { isAwaited, landingOf } from '../model/state.ts';
import type { Landing, Model } from '../model/state.ts';

/** By kind first: there are many more ways to show an old statement than to go on. */
export function choose(actions: Action[], pick: number): Action {
  const kinds = [...new Set(actions.map(({ kind }) => kind))].sort();
  const kind = kinds[pick % kinds.length];
  const alike = actions.filter((action) => action.kind === kind);
  const chosen = alike[Math.floor(pick / kinds.length) % alike.length];
  if (chosen === undefined) throw new Error('nothing can be asked for');
  return chosen;
}

/** Whether a success is wrong although the record stays as it was; the other actions may be repetitions. */
export function mustRefuse({ hosts: states }: Model, { kind, h }: Action): boolean {
  if (kind === 'unfence') return states[h]?.state !== 'holder' || states[h].run !== 0;
  return kind === 'fence' || kind === 'read';
}

/**
 * Whether a permitted action brings the VM nearer to its next host, or ends what is over: no copy, reading or fence that is done already,
 * no way off.
 */
export function leadsOn(model: Model, action: Action): boolean {
  const { hosts: states } = model;
  const state = states[action.h];
  if (state === undefined) return false;
  if (action.kind === 'copy') {
    const source = state.peer === null ? undefined : states[state.peer];
    return action.value === source?.disk && action.value !== state.disk && source.noted !== 0;
  }
  if (action.kind === 'ready') return state.peer !== null && states[state.peer]?.disk === state.disk;
  if (action.kind === 'die') return state.run !== 0;
  if (action.kind === 'fence') return state.noted !== state.run;
  if (action.kind === 'read') return state.seen === null;
  if (action.kind === 'open') return state.run === 0 && !state.running;
  if (action.kind === 'close' || action.kind === 'collectLanding') {
    const landing = landingAsked(model, action);
    return landing !== undefined && (!isAwaited(model, landing) || isGivenUp(model, landing));
  }
  return !['write', 'start', 'abort', 'unfence', 'claim'].includes(action.kind);
}

/** Whether the host is the one that the statement is for: such an action is refused by its guards only. */
export function isAddressed(model: Model, action: Action): boolean {
  const { offers, ready, deeds, settled } = model;
  switch (action.kind) {
    case 'unfence':
    case 'adopt':
    case 'beginReturn':
    case 'claim':
    case 'heed':
    case 'quell':
      return true;
    case 'open':
      return action.to !== action.h;
    case 'accept':
    case 'takeBack':
      return deeds[action.said]?.to === action.h;
    case 'settle':
      return true;
    case 'release':
      return settled[action.said]?.to === action.h;
    case 'collect':
      return deeds[action.said]?.from === action.h;
    case 'cede':
      return ready[action.said]?.to === action.h && offers[action.offer]?.token === ready[action.said]?.token;
    case 'fence':
    case 'abort':
      return [offers[action.said]?.from, offers[action.said]?.to].includes(action.h);
    case 'read':
    case 'reopen':
      return offers[action.said]?.from === action.h;
    case 'receive':
    case 'ready':
    case 'giveBack':
      return offers[action.said]?.to === action.h;
    case 'close':
    case 'collectLanding':
      return landingAsked(model, action) !== undefined;
    default:
      return false;
  }
}

/** Whether a landing is removed for which READY was signed, by what its source said. */
export function removesReady(model: Model, action: Action): boolean {
  if (action.kind !== 'collectLanding' || !action.evenReady) return false;
  return model.ready.some(({ from, token }) => from === action.h && token === landingAsked(model, action)?.token);
}

function landingAsked(model: Model, { h, said }: { h: number; said: number }): Landing | undefined {
  const offer = model.offers[said];
  return offer?.to === h ? landingOf(model, h, offer.token) : undefined;
}
