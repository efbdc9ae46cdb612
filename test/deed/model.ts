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
}

/** `said` is the index of the offer, READY or deed that is shown. */
export type Action =
  | { kind: 'write' | 'die' | 'start' | 'unfence' | 'unfenceDone' | 'beginReturn'; h: number }
  | { kind: 'open'; h: number; to: number; supersede: boolean }
  | { kind: 'settle'; h: number; to: number }
  | { kind: 'release' | 'collect'; h: number; said: number }
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
  const rest = { run: 0, peer: null, seen: null, made: 0, noted: 0, unfencing: false, disk: 0 };
  return {
    hosts: Array.from({ length: hosts }, (_, h) => ({ ...rest, ...(h === 0 ? first : other) })),
    offers: [],
    ready: [],
    deeds: [],
    settled: [],
    accepted: [],
    released: [],
    collected: [],
  };
}

/** Every action that can be asked for: each step of each host with every statement ever signed. */
export function everything(model: Model): Action[] {
  const all: Action[] = [];
  for (const h of model.hosts.keys()) {
    for (const kind of ['write', 'die', 'start', 'unfence', 'unfenceDone', 'beginReturn'] as const)
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
        model.deeds.some(({ to, token }) => to === action.h && token === host.token)
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
      return to === action.h && !has(model.released, { from: to, to: from, token });
    }
    case 'collect': {
      const ceded = at(model.deeds, action.said);
      return ceded.from === action.h && has(model.released, ceded) && !has(model.collected, ceded);
    }
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
  }
}

/** The names of the promises that the state breaks. */
export function broken(model: Model): string[] {
  const { hosts, deeds } = model;
  const names: string[] = [];
  if (hosts.filter(({ running }) => running).length > 1) names.push('OneRuns');
  if (hosts.filter(({ state }) => state === 'holder').length > 1) names.push('OneHolder');
  if (hosts.some((host) => (host.running || host.unfencing || !host.fenced) && host.state !== 'holder')) {
    names.push('OnlyHolder');
  }
  const lost = ({ to, token, disk }: Said): boolean => {
    const host = at(hosts, to);
    return host.state === 'holder' && host.token === token && host.disk < disk;
  };
  if (deeds.some(lost)) names.push('NothingLost');
  const goneFor = ({ from, to, token }: Said): boolean =>
    has(model.collected, { from: to, to: from, token: token - 1 });
  const back = everything(model).filter((action) => action.kind === 'takeBack' && enabled(model, action));
  if (back.some((action) => action.kind === 'takeBack' && goneFor(at(deeds, action.said)))) names.push('CopyKept');
  const ways = ['accept', 'takeBack', 'beginReturn', 'giveBack'];
  const canGoOn =
    hosts.some(({ state }) => state === 'holder') ||
    everything(model).some((action) => ways.includes(action.kind) && enabled(model, action)) ||
    // a return under way, not fenced yet
    hosts.some((host) => host.run === host.token + 1);
  if (!canGoOn) names.push('NeverStranded');
  return names;
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
    const cameBack =
      at(model.hosts, h).token > deed.token && has(deeds, { from: deed.to, to: h, token: deed.token + 1 });
    if (deed.from === h && deed.token <= until && !isBack && !cameBack && !has(released, deed)) released.push(deed);
  }
}

function has(list: Said[], { from, to, token }: Pick<Said, 'from' | 'to' | 'token'>): boolean {
  return list.some((one) => one.from === from && one.to === to && one.token === token);
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`no item ${String(index)}`);
  return item;
}
