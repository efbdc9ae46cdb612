import { claimStride } from '../../../deed/claim.ts';
import type { Action } from './actions.ts';
import { at, cameBack, has, hasWholeCopy, isAwaited, isReturning, landingOf } from './state.ts';
import type { Host, Model } from './state.ts';

/** Whether the protocol lets the action happen now. */
export function enabled(model: Model, action: Action): boolean {
  const host = at(model.hosts, action.h);
  const quiet = !host.running && !host.unfencing;
  const returning = isReturning(host);
  const ownRun = (said: number): boolean => {
    const offer = at(model.offers, said);
    if (returning) return offer.to === action.h && offer.token === host.token;
    return host.run !== 0 && offer.from === action.h && offer.token === host.run;
  };
  const landing = (said: number): ReturnType<typeof landingOf> => {
    const { to, token } = at(model.offers, said);
    return to === action.h ? landingOf(model, to, token) : undefined;
  };
  switch (action.kind) {
    case 'write':
      return host.running && host.disk !== null && host.disk < 3;
    case 'die':
      return host.running;
    case 'start':
      return !host.running && !host.fenced;
    case 'unfence':
      return host.state === 'holder' && host.run === 0 && host.fenced && !host.unfencing;
    case 'unfenceDone':
      return host.unfencing;
    case 'adopt':
      return host.token === 0 && isToBeAdopted(model, action.h);
    case 'open':
      return action.to !== action.h && host.state === 'holder' && (host.run === 0 || action.supersede);
    case 'reopen':
      return false;
    case 'receive': {
      const { to, token } = at(model.offers, action.said);
      return to === action.h && host.state !== 'holder' && token > host.token && quiet && host.fenced;
    }
    case 'copy': {
      const source = host.peer === null ? null : at(model.hosts, host.peer).disk;
      const isOpen = host.state === 'receiving' && landingOf(model, action.h, host.token)?.state === 'open';
      return isOpen && host.made !== host.token && source !== null && action.value <= source;
    }
    case 'fence':
      return ownRun(action.said) && quiet;
    case 'read':
      return host.state === 'holder' && ownRun(action.said) && !returning && host.noted === host.run;
    case 'abort':
      return ownRun(action.said);
    case 'ready': {
      const landed = landing(action.said);
      const isNew = landed?.state === 'open' && isAwaited(model, landed) && host.made !== landed.token;
      return isNew && host.disk !== null;
    }
    case 'cede': {
      const { from, to, token, disk } = at(model.ready, action.said);
      const offer = at(model.offers, action.offer);
      return (
        ownRun(action.offer) &&
        !returning &&
        host.state === 'holder' &&
        quiet &&
        host.fenced &&
        host.noted === host.run &&
        to === action.h &&
        offer.to === from &&
        offer.token === token &&
        host.seen === disk
      );
    }
    case 'accept': {
      const { from, to, token } = at(model.deeds, action.said);
      return (
        to === action.h &&
        host.state === 'receiving' &&
        host.run === 0 &&
        host.token === token &&
        host.peer === from &&
        host.made === token
      );
    }
    case 'close':
      return landing(action.said)?.state === 'open';
    case 'beginReturn':
      return (
        (host.state === 'holder' || host.state === 'receiving') &&
        host.run === 0 &&
        host.peer !== null &&
        [...model.deeds, ...model.claims].some(({ to, token }) => to === action.h && token === host.token)
      );
    case 'giveBack':
      return ownRun(action.said) && returning && quiet && host.fenced && host.noted === host.run;
    case 'takeBack': {
      const { from, to, token } = at(model.deeds, action.said);
      return to === action.h && host.state === 'ceded' && host.peer === from && token === host.token + 1;
    }
    case 'settle': {
      const { h, token } = action;
      const run = landingOf(model, h, token);
      if (run?.state !== 'accepted') return false;
      const isSaid = has(model.settled, { from: h, to: run.from, token });
      // What was given back is nobody's to settle, also when its copy was claimed since: no offer goes before such a deed.
      const back = { from: h, to: run.from, token: token + 1 };
      if (has(model.deeds, back) && !has(model.offers, back)) return false;
      // What was claimed is settled by the claim's token.
      if (has(model.claims, { from: run.from, to: h, token: token + claimStride })) return false;
      return !isSaid && !(returning && token === host.token);
    }
    case 'release': {
      const { to, from, token } = at(model.settled, action.said);
      const ceded = { from: to, to: from, token };
      const left = has(model.heeded, ceded) || (has(model.deeds, ceded) && !cameBack(model, ceded));
      return to === action.h && left && !has(model.released, ceded);
    }
    case 'collect': {
      const ceded = at(model.deeds, action.said);
      const kept = has(model.released, ceded) && !has(model.collected, ceded) && !cameBack(model, ceded);
      return ceded.from === action.h && kept;
    }
    case 'collectLanding': {
      const landed = landing(action.said);
      const isOver = landed?.state === 'aborted' || landed?.state === 'returned';
      if (!isOver || landed.collected) return false;
      if (action.evenReady) return isGivenUp(model, landed);
      return !(isAwaited(model, landed) && host.made === landed.token);
    }
    case 'claim':
      return isVouchedFor(model, action.h) && host.peer !== null && !host.unfencing && hasWholeCopy(model, action.h);
    case 'heed': {
      const { from, to, token } = at(model.claims, action.said);
      const awaits = (host.state === 'ceded' || host.state === 'receiving') && host.peer === from;
      return action.h !== to && host.token < token && (action.h === from || awaits);
    }
    case 'quell':
      return host.gone && host.state === 'ceded' && model.claims.some(({ token }) => token === host.token);
  }
}

// What no record guards: whoever asks has asked others first, or looked.

/** The VM is here and bears no mark of a fence, and no other host has anything of it. */
export function isToBeAdopted({ hosts }: Model, h: number): boolean {
  const { disk, fenced } = at(hosts, h);
  const others = hosts.filter((_, o) => o !== h);
  return disk !== null && !fenced && others.every((other) => other.token === 0 && other.disk === null);
}

/** The landing's source has neither ceded by its run nor has it open, and is there to say so. */
export function isGivenUp(
  { hosts, deeds }: Model,
  { at: h, from, token }: { at: number; from: number; token: number },
): boolean {
  const { run, gone } = at(hosts, from);
  return !gone && run !== token && !has(deeds, { from, to: h, token });
}

/** An operator claims once, and has asked whether a third host has the VM, waits for it, or may be given it back. */
export function isVouchedFor({ claims, hosts }: Model, h: number): boolean {
  const { peer, token } = at(hosts, h);
  const others = hosts.filter((_, o) => o !== h && o !== peer);
  // who handed it to the lost host after this one did
  const mayComeBack = (other: Host): boolean => other.state === 'ceded' && other.peer === peer && other.token > token;
  const isNear = (other: Host): boolean =>
    other.state === 'holder' || other.state === 'receiving' || mayComeBack(other);
  return claims.length === 0 && !others.some(isNear);
}
