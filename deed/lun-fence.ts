import { createHash } from 'node:crypto';
import { Turns } from '../dom0/turns.ts';
import { SealiftError } from '../domain/error.ts';
import { holdersOf } from '../storage/holders.ts';
import { fenceIface, forgetNode, login, logout, makeIface, sessions } from '../storage/iscsi.ts';
import type { IscsiSession } from '../storage/iscsi.ts';
import { appearing, reachLun } from '../storage/lun.ts';
import type { Lun, ReachedLun } from '../storage/lun.ts';
import type { Mark } from '../storage/mark.ts';
import { holds, readReservation, reservable, reserve } from '../storage/reservation.ts';
import { heldOpen, notFenced } from './held.ts';
import type { Environment } from './locks.ts';

/**
 * The fence of a LUN, which two hosts reach: a persistent reservation (SPC-4, 5.13), of the type by which its holder alone reads
 * and writes. Its key says by which token of the deed it was made and for which host, or for nobody: then it is held by an initiator of
 * this host's that nobody logs in as. The target keeps it, whatever the hosts do. docs/iscsi.md tells more.
 */
export interface LunKey {
  /** The first digits of the VM's lineage. */
  lineage: string;
  token: number;
  /** A host by its initiator's name; 0 is nobody. */
  holder: number;
}

const fenceSuffix = ':sealift-fence';
/** The hexadecimal digits of a key: what says that it is ours, then lineage, token, holder. */
const digits = { magic: 3, lineage: 4, token: 5, holder: 4 };
const magic = '5ea';

/** Two logins as nobody would meet in one iface. */
const asNobodyTurns = new Turns(1);

/** Throws 'disk-busy' while somebody in dom0 has the LUN open, 'disk-missing', 'iscsi-failed'. */
export async function refuseUsedLun(lun: Lun): Promise<void> {
  const { device } = await reachLun(lun);
  const [holder] = await holdersOf(device);
  if (holder !== undefined) throw heldOpen(device, holder);
}

/**
 * Takes the LUN from this host, durably: reserves it for nobody, by `mark`. Where it refuses this host already, by this token or a later one,
 * nothing is done. Throws 'unknown-state' when another VM has it, 'fence-failed' while another host has it by an earlier token, 'iscsi-failed'.
 */
export async function fenceLun(lun: Lun, mark: Mark, env: Environment): Promise<void> {
  const reached = await reachLun(lun);
  const held = await keyNow(reached, mark);
  const own = holderOf(reached.session);
  if (held !== null) {
    if (held.token >= mark.token && held.holder !== own)
      return asNobodyTurns.take(() => endLeftover(reached.session, env));
    if (held.token > mark.token) throw later(lun, held, mark);
    if (held.holder !== own && held.holder !== 0) throw notFenced(`another host has the LUN ${lun.id}`);
  }
  await asNobody(reached, env, (device) => seize(device, { ...keyOf(mark), holder: 0 }, held, env));
}

/**
 * Reserves the LUN for this host, durably: the opposite of `fenceLun`, and what gives it its place again when the target does not know
 * its session any more. Throws 'unknown-state' when another VM, another host or a later token has it. `claimed`: by an operator's word
 * another host loses it that has it by an earlier token. Gives where it is.
 */
export async function takeLun(
  lun: Lun,
  mark: Mark,
  { env, claimed }: { env: Environment; claimed: boolean },
): Promise<ReachedLun> {
  const reached = await reachLun(lun);
  const held = await keyNow(reached, mark);
  const own = holderOf(reached.session);
  const others = held !== null && held.holder !== 0 && held.holder !== own;
  if (held !== null && (held.token > mark.token || (others && !(claimed && held.token < mark.token))))
    throw later(lun, held, mark);
  await asNobodyTurns.take(() => endLeftover(reached.session, env));
  await seize(reached.device, { ...keyOf(mark), holder: own }, held, env, others);
  return reached;
}

/**
 * Throws 'fence-failed' unless the LUN refuses this host right now, by the mark's token or a later one. `forNobody`: and it must be reserved for no
 * other host either.
 */
export async function proveLunFenced(lun: Lun, mark: Mark, { forNobody = false } = {}): Promise<void> {
  const { session, device } = await reachLun(lun);
  const reservation = await readReservation(device);
  const held = reservation === null ? null : readKey(reservation.key);
  if (reservation === null || held === null) throw notFenced(`the LUN ${lun.id} is not reserved`);
  if (!reservation.exclusive) throw notFenced(`the LUN ${lun.id} is reserved for writers only`);
  const stays = held.holder === holderOf(session) || (forNobody && held.holder !== 0);
  if (held.lineage !== keyOf(mark).lineage || held.token < mark.token || stays)
    throw notFenced(
      `the LUN ${lun.id} is reserved by ${said(held)}, needed token ${String(mark.token)}, not for this host`,
    );
  // Another VM's fence may be under way by it.
  if (await asNobodyTurns.take(async () => (await leftovers(session)).length > 0))
    throw notFenced(`the LUN ${lun.id} is still reached by its fence's own session`);
}

/** The key of a LUN's reservation; null without one. Throws 'unknown-state' for one that is not Sealift's. */
export async function lunKey({ device, lun }: ReachedLun): Promise<LunKey | null> {
  const reservation = await readReservation(device);
  if (reservation === null) return null;
  const key = readKey(reservation.key);
  if (key !== null) return key;
  throw new SealiftError('unknown-state', `the LUN ${lun.id} is reserved by something else than Sealift`, {
    hint: 'see who holds it: sg_persist --in --read-full-status DEVICE',
  });
}

/** Whether a LUN is reserved for this host, and the target knows this host's session as the one that it is reserved for. */
export async function isHeldHere(reached: ReachedLun): Promise<boolean> {
  const held = await lunKey(reached);
  return held !== null && isOwn(held, reached) && (await holds(reached.device, writeKey(held)));
}

/** Whether a LUN's reservation is this host's own. */
export function isOwn({ holder }: LunKey, { session }: ReachedLun): boolean {
  return holder === holderOf(session);
}

/** The reservation that is there, when it is of the mark's VM. */
async function keyNow(reached: ReachedLun, mark: Mark): Promise<LunKey | null> {
  const held = await lunKey(reached);
  if (held === null || held.lineage === keyOf(mark).lineage) return held;
  throw new SealiftError('unknown-state', `the LUN ${reached.lun.id} is reserved for another VM: ${said(held)}`);
}

async function seize(
  device: string,
  key: LunKey,
  held: LunKey | null,
  env: Environment,
  fromAnother = false,
): Promise<void> {
  const able = await reservable(device);
  if (able === null) throw new SealiftError('fence-failed', `the target of ${device} has no persistent reservations`);
  const instead = held === null ? null : writeKey(held);
  await reserve(device, writeKey(key), { instead, lasting: able.lasting, abort: fromAnother, env });
}

/** Whether the target lets the name in that fences hold LUNs by. Throws 'fence-failed' when it does not show the LUN to it, 'iscsi-failed'. */
export async function tryNobody(lun: Lun): Promise<void> {
  await asNobody(await reachLun(lun), {}, () => Promise.resolve());
}

/** Works on the LUN by a session of its own, under a name that nobody else logs in by, which is over when this returns. */
async function asNobody(
  { lun, session }: ReachedLun,
  env: Environment,
  work: (device: string) => Promise<void>,
): Promise<void> {
  await asNobodyTurns.take(async () => {
    await endLeftover(session, env);
    await makeIface(fenceIface, session.initiator + fenceSuffix, env);
    await login(session, fenceIface, env);
    try {
      const found = await appearing(lun.id, session, fenceIface);
      if (found === null)
        throw new SealiftError(
          'fence-failed',
          `its target does not show the LUN ${lun.id} to the initiator that a fence needs`,
          {
            hint: `at the target, let in each host's initiator with ${fenceSuffix} behind its name too`,
          },
        );
      await work(found.device);
    } finally {
      await endLeftover(session, env);
    }
  });
}

async function endLeftover(session: IscsiSession, env: Environment): Promise<void> {
  const left = await leftovers(session);
  for (const one of left) await logout(one, env);
  // One that was killed between the two may have left this alone.
  if (left.length === 0) await forgetNode(session, fenceIface, env);
}

async function leftovers({ name }: IscsiSession): Promise<IscsiSession[]> {
  return (await sessions()).filter((one) => one.iface === fenceIface && one.name === name);
}

/** Two hosts have different initiators; that two of them share these sixteen bits is as good as never. */
function holderOf({ initiator }: IscsiSession): number {
  return Math.max(1, createHash('sha256').update(initiator).digest().readUInt16BE(0));
}

function keyOf({ lineage, token }: Mark): Omit<LunKey, 'holder'> {
  if (token >= 16 ** digits.token)
    throw new SealiftError('fence-failed', `token ${String(token)} is too large for a LUN's key`);
  return { lineage: lineage.slice(0, digits.lineage), token };
}

/** A key in the 64 bits that a reservation has for it. */
export function writeKey({ lineage, token, holder }: LunKey): bigint {
  const hex = (value: number, length: number): string => value.toString(16).padStart(length, '0');
  return BigInt(`0x${magic}${lineage}${hex(token, digits.token)}${hex(holder, digits.holder)}`);
}

/** What a key says; null for one that is not ours. */
export function readKey(key: bigint): LunKey | null {
  const text = key.toString(16).padStart(16, '0');
  const parts: string[] = [];
  let at = 0;
  for (const length of Object.values(digits)) parts.push(text.slice(at, (at += length)));
  const [first, lineage = '', token = '', holder = ''] = parts;
  return first === magic ? { lineage, token: parseInt(token, 16), holder: parseInt(holder, 16) } : null;
}

function later(lun: Lun, held: LunKey, { token }: Mark): SealiftError {
  return new SealiftError(
    'unknown-state',
    `the LUN ${lun.id} is reserved by ${said(held)}, so not by token ${String(token)}`,
  );
}

function said({ lineage, token, holder }: LunKey): string {
  return `lineage ${lineage}…, token ${String(token)}, for ${holder === 0 ? 'nobody' : 'a host'}`;
}
