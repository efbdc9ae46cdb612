import { claimStride } from '../../deed/claim.ts';

/**
 * The deed protocol in small: `Host` is what the model of the protocol (DeedSteps) calls a host, `enabled` its guards, `apply` its
 * effects. A disk's content is the number of writes in it.
 */
export interface Host {
  token: number;
  state: 'none' | 'holder' | 'receiving' | 'ceded';
  run: number;
  peer: number | null;
  seen: number | null;
  made: number;
  /** The run for which the fence was noted as proven. */
  noted: number;
  // the world, which never asks the record
  fenced: boolean;
  unfencing: boolean;
  running: boolean;
  disk: number;
  /** An operator has claimed the VM against it: it is gone, and does nothing before it has heeded. */
  gone: boolean;
}
export interface Said {
  from: number;
  to: number;
  token: number;
  disk: number;
}
export interface Model {
  hosts: Host[];
  offers: Said[];
  ready: Said[];
  deeds: Said[];
  settled: Said[];
  /** Runs accepted at `from`, that came from `to`. */
  accepted: Said[];
  /** Runs ceded by `from` whose copies may be removed, and those that were. */
  released: Said[];
  collected: Said[];
  /** `from` is the host that was claimed against. */
  claims: Said[];
  /** What a claim took from `from`, as if it had ceded it. */
  heeded: Said[];
}

/** `said` is the index of the offer, READY or deed that is shown. */
export type Action =
  | { kind: 'write' | 'die' | 'start' | 'unfence' | 'unfenceDone' | 'beginReturn'; h: number }
  | { kind: 'open'; h: number; to: number; supersede: boolean }
  | { kind: 'settle'; h: number; to: number }
  | { kind: 'claim' | 'quell'; h: number }
  | { kind: 'release' | 'collect' | 'heed'; h: number; said: number }
  | { kind: 'copy'; h: number; value: number }
  | {
      kind: 'receive' | 'fence' | 'read' | 'abort' | 'ready' | 'giveBack' | 'accept' | 'takeBack' | 'reopen';
      h: number;
      said: number;
    }
  | { kind: 'cede'; h: number; said: number; offer: number };

export function newModel(hosts: number): Model {
  const first = { token: 1, state: 'holder', fenced: false, running: true } as const;
  const other = { token: 0, state: 'none', fenced: true, running: false } as const;
  const rest = { run: 0, peer: null, seen: null, made: 0, noted: 0, unfencing: false, disk: 0, gone: false };
  return {
    hosts: Array.from({ length: hosts }, (_, h) => ({ ...rest, ...(h === 0 ? first : other) })),
    offers: [],
    ready: [],
    deeds: [],
    settled: [],
    accepted: [],
    released: [],
    collected: [],
    claims: [],
    heeded: [],
  };
}

/** Every action that can be asked for: each step of each host that is there with every statement ever signed. */
export function everything(model: Model): Action[] {
  const all: Action[] = [];
  for (const h of model.hosts.keys()) {
    for (const said of model.claims.keys()) all.push({ kind: 'heed', h, said });
    if (model.hosts[h]?.gone === true) {
      all.push({ kind: 'quell', h });
      continue;
    }
    for (const kind of ['write', 'die', 'start', 'unfence', 'unfenceDone', 'beginReturn', 'claim'] as const)
      all.push({ kind, h });
    for (const to of model.hosts.keys()) {
      all.push({ kind: 'open', h, to, supersede: true }, { kind: 'open', h, to, supersede: false });
      if (to !== h) all.push({ kind: 'settle', h, to });
    }
    for (let value = 0; value <= 3; value += 1) all.push({ kind: 'copy', h, value });
    for (const offer of model.offers.keys()) {
      for (const kind of ['receive', 'fence', 'read', 'abort', 'ready', 'giveBack', 'reopen'] as const) {
        all.push({ kind, h, said: offer });
      }
      for (const said of model.ready.keys()) all.push({ kind: 'cede', h, said, offer });
    }
    for (const said of model.deeds.keys()) {
      all.push({ kind: 'accept', h, said }, { kind: 'takeBack', h, said }, { kind: 'collect', h, said });
    }
    for (const said of model.settled.keys()) all.push({ kind: 'release', h, said });
  }
  return all;
}

/** Whether the protocol lets the action happen now. */
export function enabled(model: Model, action: Action): boolean {
  const host = at(model.hosts, action.h);
  const quiet = !host.running && !host.unfencing;
  const returning = host.run === host.token + 1;
  const ownRun = (said: number): boolean => {
    const offer = at(model.offers, said);
    if (returning) return offer.to === action.h && offer.token === host.token;
    return host.run !== 0 && offer.from === action.h && offer.token === host.run;
  };
  switch (action.kind) {
    case 'write':
      return host.running && host.disk < 3;
    case 'die':
      return host.running;
    case 'start':
      return !host.running && !host.fenced;
    case 'unfence':
      return host.state === 'holder' && host.run === 0 && host.fenced && !host.unfencing;
    case 'unfenceDone':
      return host.unfencing;
    case 'open':
      return action.to !== action.h && host.state === 'holder' && (host.run === 0 || action.supersede);
    case 'reopen':
      return false;
    case 'receive': {
      const { to, token } = at(model.offers, action.said);
      return to === action.h && host.state !== 'holder' && token > host.token && quiet && host.fenced;
    }
    case 'copy':
      return (
        host.state === 'receiving' &&
        host.made !== host.token &&
        host.peer !== null &&
        action.value <= at(model.hosts, host.peer).disk
      );
    case 'fence':
      return ownRun(action.said) && quiet;
    case 'read':
      return host.state === 'holder' && ownRun(action.said) && !returning && quiet && host.noted === host.run;
    case 'abort':
      return ownRun(action.said);
    case 'ready': {
      const { to, token } = at(model.offers, action.said);
      return to === action.h && host.state === 'receiving' && host.token === token && host.made !== token;
    }
    case 'cede': {
      const { from, to, token, disk } = at(model.ready, action.said);
      const offer = at(model.offers, action.offer);
      return (
        ownRun(action.offer) &&
        !returning &&
        host.state === 'holder' &&
        quiet &&
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
    case 'beginReturn':
      return (
        (host.state === 'holder' || host.state === 'receiving') &&
        host.run === 0 &&
        host.peer !== null &&
        [...model.deeds, ...model.claims].some(({ to, token }) => to === action.h && token === host.token)
      );
    case 'giveBack':
      return ownRun(action.said) && returning && quiet && host.noted === host.run;
    case 'takeBack': {
      const { from, to, token } = at(model.deeds, action.said);
      return to === action.h && host.state === 'ceded' && host.peer === from && token === host.token + 1;
    }
    case 'settle': {
      const run = acceptedFrom(model, action);
      return run !== undefined && !has(model.settled, run) && !(returning && run.token === host.token);
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

/** What an enabled action does. */
export function apply(model: Model, action: Action): void {
  const host = at(model.hosts, action.h);
  const { h } = action;
  switch (action.kind) {
    case 'write':
      host.disk += 1;
      return;
    case 'die':
    case 'start':
      host.running = action.kind === 'start';
      return;
    case 'unfence':
      host.unfencing = true;
      return;
    case 'unfenceDone':
      Object.assign(host, { unfencing: false, fenced: false });
      return;
    case 'open':
      Object.assign(host, { token: host.token + 1, run: host.token + 1, seen: null, noted: 0 });
      model.offers.push({ from: h, to: action.to, token: host.token, disk: 0 });
      return;
    case 'reopen':
      return;
    case 'receive': {
      const { from, token } = at(model.offers, action.said);
      Object.assign(host, { token, state: 'receiving', peer: from, run: 0, seen: null, noted: 0 });
      return;
    }
    case 'copy':
      host.disk = action.value;
      return;
    case 'fence':
      if (!host.fenced) host.seen = null;
      Object.assign(host, { fenced: true, noted: host.run });
      return;
    case 'read':
      host.seen = host.disk;
      return;
    case 'abort':
      Object.assign(host, { run: 0, seen: null, noted: 0 });
      return;
    case 'ready':
      host.made = host.token;
      model.ready.push({ from: h, to: host.peer ?? h, token: host.token, disk: host.disk });
      return;
    case 'cede': {
      const { from } = at(model.ready, action.said);
      model.deeds.push({ from: h, to: from, token: host.token, disk: host.disk });
      Object.assign(host, { state: 'ceded', run: 0, seen: null, noted: 0, peer: from });
      return;
    }
    case 'accept': {
      const { from, token } = at(model.deeds, action.said);
      host.state = 'holder';
      model.accepted.push({ from: h, to: from, token, disk: 0 });
      return;
    }
    case 'beginReturn':
      Object.assign(host, { run: host.token + 1, seen: null, noted: 0 });
      return;
    case 'giveBack':
      model.deeds.push({ from: h, to: host.peer ?? h, token: host.token + 1, disk: 0 });
      model.accepted = model.accepted.filter(({ from, token }) => from !== h || token !== host.token);
      Object.assign(host, { token: host.token + 1, state: 'none', run: 0, seen: null, noted: 0 });
      return;
    case 'takeBack':
      Object.assign(host, { token: host.token + 1, state: 'holder', peer: null });
      return;
    case 'settle': {
      const run = acceptedFrom(model, action);
      if (run === undefined) return;
      model.settled.push(run);
      release(model, h, run.token);
      if (host.token === run.token) host.peer = null;
      return;
    }
    case 'release':
      release(model, h, at(model.settled, action.said).token);
      return;
    case 'collect':
      model.collected.push(at(model.deeds, action.said));
      return;
    case 'claim': {
      const token = host.token + claimStride;
      const from = host.peer ?? h;
      Object.assign(at(model.hosts, from), { gone: true, running: false });
      model.claims.push({ from, to: h, token, disk: 0 });
      const accepted = { from: h, to: from, disk: 0 };
      // What was ceded from here is taken back; what was to come has a run of the claim's own.
      if (host.state !== 'ceded') {
        const landed = host.state === 'none' ? host.token - 1 : host.token;
        model.accepted.push({ ...accepted, token: landed }, { ...accepted, token });
        model.offers.push({ from, to: h, token, disk: 0 });
      }
      Object.assign(host, {
        peer: host.state === 'ceded' ? null : from,
        token,
        state: 'holder',
        run: 0,
        seen: null,
        noted: 0,
      });
      return;
    }
    case 'heed': {
      const { to, token } = at(model.claims, action.said);
      const had = host.state === 'holder' || host.state === 'ceded';
      const lost = {
        state: had ? 'ceded' : 'none',
        peer: had ? to : null,
        made: 0,
        run: 0,
        seen: null,
        noted: 0,
      } as const;
      Object.assign(host, { token, ...lost, gone: host.gone && had });
      if (had) model.heeded.push({ from: h, to, token, disk: 0 });
      return;
    }
    case 'quell':
      Object.assign(host, { gone: false, running: false, unfencing: false, fenced: true });
      return;
  }
}

/** The names of the promises that the state breaks. */
export function broken(model: Model): string[] {
  const { deeds } = model;
  const hosts = model.hosts.filter(({ gone }) => !gone);
  const names: string[] = [];
  if (hosts.filter(({ running }) => running).length > 1) names.push('OneRuns');
  if (hosts.filter(({ state }) => state === 'holder').length > 1) names.push('OneHolder');
  if (hosts.some((host) => (host.running || host.unfencing || !host.fenced) && host.state !== 'holder')) {
    names.push('OnlyHolder');
  }
  const lost = ({ to, token, disk }: Said): boolean => {
    const host = at(model.hosts, to);
    return host.state === 'holder' && host.token === token && host.disk < disk;
  };
  if (deeds.some(lost)) names.push('NothingLost');
  const goneFor = ({ from, to, token }: Said): boolean =>
    has(model.collected, { from: to, to: from, token: token - 1 });
  const back = everything(model).filter((action) => action.kind === 'takeBack' && enabled(model, action));
  if (back.some((action) => action.kind === 'takeBack' && goneFor(at(deeds, action.said)))) names.push('CopyKept');
  // What was given back to a host that is gone waits for it to heed.
  const ways = ['accept', 'takeBack', 'beginReturn', 'giveBack', 'heed', 'quell'];
  const canGoOn =
    hosts.some(({ state }) => state === 'holder') ||
    everything(model).some((action) => ways.includes(action.kind) && enabled(model, action)) ||
    // an operator may claim again: the host that was claimed against may have had nothing to take back
    (model.claims.length > 0 && model.hosts.some((_, h) => hasWholeCopy(model, h))) ||
    // a return under way, not fenced yet
    hosts.some((host) => host.run === host.token + 1);
  if (!canGoOn) names.push('NeverStranded');
  return names;
}

/** What no record guards: an operator claims once, and has asked whether a third host has the VM or waits for it. */
export function isVouchedFor({ claims, hosts }: Model, h: number): boolean {
  const others = hosts.filter((_, o) => o !== h && o !== at(hosts, h).peer);
  return claims.length === 0 && others.every(({ state }) => state !== 'holder' && state !== 'receiving');
}

/** A landing that READY was signed for, a ceded copy that is kept, or one that was given back. */
function hasWholeCopy(model: Model, h: number): boolean {
  const { state, token, made, peer } = at(model.hosts, h);
  if (state === 'ceded') return !has(model.collected, { from: h, to: peer ?? h, token });
  if (state === 'receiving') return made === token;
  return state === 'none' && model.deeds.some((deed) => deed.from === h && deed.token === token);
}

/** The newest run that `h` accepted from `to` and has not given back. */
function acceptedFrom({ accepted }: Model, { h, to }: { h: number; to: number }): Said | undefined {
  return accepted.filter((run) => run.from === h && run.to === to).sort((a, b) => b.token - a.token)[0];
}

/** Frees what `h` ceded by `until` or an older token, and was not given back. */
function release(model: Model, h: number, until: number): void {
  const { deeds, released } = model;
  for (const deed of deeds) {
    const isBack = deed.disk === 0 && has(model.offers, { from: deed.to, to: h, token: deed.token - 1 });
    if (deed.from === h && deed.token <= until && !isBack && !cameBack(model, deed) && !has(released, deed))
      released.push(deed);
  }
}

/** Whether the host that ceded has taken the VM back, or has claimed its copy. */
function cameBack({ hosts, deeds, claims }: Model, { from, to, token }: Pick<Said, 'from' | 'to' | 'token'>): boolean {
  const back = has(deeds, { from: to, to: from, token: token + 1 });
  return (
    (back && at(hosts, from).token > token) ||
    claims.some((claim) => claim.to === from && claim.token === token + claimStride)
  );
}

function has(list: Said[], { from, to, token }: Pick<Said, 'from' | 'to' | 'token'>): boolean {
  return list.some((one) => one.from === from && one.to === to && one.token === token);
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`no item ${String(index)}`);
  return item;
}
