import { claimStride } from '../../../deed/claim.ts';
import type { Action } from './actions.ts';
import { at, cameBack, has, isAwaited, landingOf } from './state.ts';
import type { Landing, Model } from './state.ts';

/** What an enabled action does. */
export function apply(model: Model, action: Action): void {
  const host = at(model.hosts, action.h);
  const { h } = action;
  switch (action.kind) {
    case 'write':
      host.disk = (host.disk ?? 0) + 1;
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
    case 'adopt':
      Object.assign(host, { token: 1, state: 'holder' });
      return;
    case 'open':
      Object.assign(host, { token: host.token + 1, run: host.token + 1, seen: null, noted: 0 });
      model.offers.push({ from: h, to: action.to, token: host.token, disk: 0 });
      return;
    case 'reopen':
      return;
    case 'receive': {
      const { from, token } = at(model.offers, action.said);
      endOpenLandings(model, h);
      model.landings.push({ at: h, from, token, state: 'open', collected: false });
      Object.assign(host, { token, state: 'receiving', peer: from, run: 0, seen: null, noted: 0, disk: null });
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
      model.ready.push({ from: h, to: host.peer ?? h, token: host.token, disk: host.disk ?? 0 });
      return;
    case 'cede': {
      const { from } = at(model.ready, action.said);
      model.deeds.push({ from: h, to: from, token: host.token, disk: host.disk ?? 0 });
      Object.assign(host, { state: 'ceded', run: 0, seen: null, noted: 0, peer: from });
      return;
    }
    case 'accept':
      host.state = 'holder';
      received(model, h, host.token).state = 'accepted';
      return;
    case 'close':
      received(model, h, at(model.offers, action.said).token).state = 'aborted';
      return;
    case 'beginReturn':
      Object.assign(host, { run: host.token + 1, seen: null, noted: 0 });
      return;
    case 'giveBack':
      model.deeds.push({ from: h, to: host.peer ?? h, token: host.token + 1, disk: 0 });
      received(model, h, host.token).state = 'returned';
      Object.assign(host, { token: host.token + 1, state: 'none', run: 0, seen: null, noted: 0 });
      return;
    case 'takeBack':
      Object.assign(host, { token: host.token + 1, state: 'holder', peer: null });
      return;
    case 'settle': {
      const { token } = action;
      model.settled.push({ from: h, to: received(model, h, token).from, token, disk: 0 });
      release(model, h, token);
      if (host.token === token) host.peer = null;
      return;
    }
    case 'release':
      release(model, h, at(model.settled, action.said).token);
      return;
    case 'collect': {
      const ceded = at(model.deeds, action.said);
      model.collected.push(ceded);
      if (host.state === 'ceded' && host.token === ceded.token) host.disk = null;
      return;
    }
    case 'collectLanding': {
      const landing = received(model, h, at(model.offers, action.said).token);
      landing.collected = true;
      const isGivenBack = landing.state === 'returned' && host.state === 'none' && host.token === landing.token + 1;
      if (isAwaited(model, landing)) Object.assign(host, { made: 0, disk: null });
      else if (isGivenBack) host.disk = null;
      return;
    }
    case 'claim':
      claim(model, h);
      return;
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
      endOpenLandings(model, h);
      Object.assign(host, { token, ...lost, gone: host.gone && had });
      if (had) model.heeded.push({ from: h, to, token, disk: 0 });
      return;
    }
    case 'quell':
      Object.assign(host, { gone: false, running: false, unfencing: false, fenced: true });
      return;
  }
}

function claim(model: Model, h: number): void {
  const host = at(model.hosts, h);
  const token = host.token + claimStride;
  const from = host.peer ?? h;
  const isBack = host.state === 'ceded';
  Object.assign(at(model.hosts, from), { gone: true, running: false });
  model.claims.push({ from, to: h, token, disk: 0 });
  // What was ceded from here is taken back; what was to come has a run of the claim's own.
  if (!isBack) {
    received(model, h, host.state === 'none' ? host.token - 1 : host.token).state = 'accepted';
    model.landings.push({ at: h, from, token, state: 'accepted', collected: false });
    model.offers.push({ from, to: h, token, disk: 0 });
  }
  Object.assign(host, { peer: isBack ? null : from, token, state: 'holder', run: 0, seen: null, noted: 0 });
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

/** As another offer is received, or a claim heeded. */
function endOpenLandings({ landings }: Model, h: number): void {
  for (const landing of landings) if (landing.at === h && landing.state === 'open') landing.state = 'aborted';
}

function received(model: Model, h: number, token: number): Landing {
  const landing = landingOf(model, h, token);
  if (landing === undefined) throw new Error(`nothing of token ${String(token)} was received`);
  return landing;
}
