import { claimStride } from '../../../deed/claim.ts';

/**
 * The deed protocol in small: `Host` is what docs/deed.tla calls a host, its record first, then the world there. A disk's content is the
 * number of writes in it.
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
  /** Also where nothing of the VM is. */
  fenced: boolean;
  unfencing: boolean;
  running: boolean;
  /** The copy that counts here: the VM's own, a ceded one, one that was given back, or what has landed of it. Null: nothing of it is there. */
  disk: number | null;
  /** An operator has claimed the VM against it: it is gone, and does nothing before it has heeded. */
  gone: boolean;
}

/** A statement, or something of one run between two hosts. */
export interface Said {
  from: number;
  to: number;
  token: number;
  disk: number;
}

/** A run at the host that has received it, or has it by its own claim. */
export interface Landing {
  at: number;
  from: number;
  token: number;
  state: 'open' | 'aborted' | 'accepted' | 'returned';
  /** Its copy was given free for removal. */
  collected: boolean;
}

export interface Model {
  hosts: Host[];
  offers: Said[];
  ready: Said[];
  deeds: Said[];
  settled: Said[];
  landings: Landing[];
  /** Runs ceded by `from` whose copies may be removed, and those that were. */
  released: Said[];
  collected: Said[];
  /** `from` is the host that was claimed against. */
  claims: Said[];
  /** What a claim took from `from`, as if it had ceded it. */
  heeded: Said[];
}

/** A VM that runs on the host `first`, and that nobody has adopted. */
export function newModel(hosts: number, first = 0): Model {
  const record = { token: 0, state: 'none', run: 0, peer: null, seen: null, made: 0, noted: 0 } as const;
  const there = { fenced: false, running: true, disk: 0 };
  const nothing = { fenced: true, running: false, disk: null };
  const rest = { unfencing: false, gone: false };
  return {
    hosts: Array.from({ length: hosts }, (_, h) => ({ ...record, ...rest, ...(h === first ? there : nothing) })),
    offers: [],
    ready: [],
    deeds: [],
    settled: [],
    landings: [],
    released: [],
    collected: [],
    claims: [],
    heeded: [],
  };
}

/** Whether the host has a return of its own under way. */
export function isReturning({ run, token }: Host): boolean {
  return run === token + 1;
}

/** The landing of a token at a host. */
export function landingOf({ landings }: Model, h: number, token: number): Landing | undefined {
  return landings.find((landing) => landing.at === h && landing.token === token);
}

/** Whether a deed for this very landing may still be accepted. */
export function isAwaited({ hosts }: Model, { at: h, token }: Landing): boolean {
  const { state, token: present } = at(hosts, h);
  return state === 'receiving' && present === token;
}

/** A landing that READY was signed for, a ceded copy that is kept, or one that was given back. */
export function hasWholeCopy({ hosts, deeds }: Model, h: number): boolean {
  const { state, token, made, disk } = at(hosts, h);
  if (state === 'receiving') return made === token;
  const isOwn =
    state === 'ceded' || (state === 'none' && deeds.some((deed) => deed.from === h && deed.token === token));
  return isOwn && disk !== null;
}

/** Whether the host that ceded has taken the VM back, or has claimed its copy. */
export function cameBack(
  { hosts, deeds, claims }: Model,
  { from, to, token }: Pick<Said, 'from' | 'to' | 'token'>,
): boolean {
  const back = has(deeds, { from: to, to: from, token: token + 1 });
  return (
    (back && at(hosts, from).token > token) ||
    claims.some((claim) => claim.to === from && claim.token === token + claimStride)
  );
}

export function has(list: Said[], { from, to, token }: Pick<Said, 'from' | 'to' | 'token'>): boolean {
  return list.some((one) => one.from === from && one.to === to && one.token === token);
}

export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`no item ${String(index)}`);
  return item;
}
