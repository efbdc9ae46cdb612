import { claimStride } from '../deed/claim.ts';
import type { ClaimGround, Operator } from '../deed/claim.ts';
import type { Identity } from '../deed/identity.ts';
import { checkStatement, signStatement } from '../deed/statement.ts';
import type { DeedReport, DeedWord } from '../domain/deed-report.ts';
import { SealiftError } from '../domain/error.ts';
import { protocolVersion } from '../domain/protocol.ts';
import type { Claim, Signed } from '../domain/statement.ts';
import { readMark } from '../storage/mark.ts';
import { recordNamed } from './by-hand.ts';
import type { Host } from './host.ts';
import { startVm } from './power.ts';
import { inTurn } from './vm-turn.ts';
import { isReservedElsewhere } from './luns.ts';
import { examineDisks, findVm } from './vms.ts';

export interface ClaimAsk {
  /** Name or uuid. */
  vm: string;
  reason: string;
  operator: Identity;
  /** What other hosts told, as a person brought it: the only ground where this host has lost its own records, and a reason to refuse elsewhere. */
  peers: readonly DeedReport[];
}

/** A claim that may be made here; `signed` when it was made already and is only to be gone on with. */
export interface ClaimPlan {
  body: Claim;
  by: Operator;
  signed: Signed<Claim> | null;
  /** At a host without a record: the peer whose signed word tells lineage and token. */
  heir: string | null;
}

/** What a claim would say. Throws `deed-refused`, `unknown-operator`, `not-adopted`, `unknown-peer`. Changes nothing. */
export function planClaim(host: Host, ask: ClaimAsk): ClaimPlan {
  const by = pinnedOperator(host, ask.operator.name);
  const common = { v: protocolVersion, kind: 'claim', from: by.identity, to: host.identity.name } as const;
  const isKnown = host.deeds.records().some((one) => one.vmUuid === ask.vm || one.vmName === ask.vm);
  if (!isKnown && ask.peers.length > 0) {
    const { heir, ...ground } = groundOfPeers(host, ask);
    return { body: { ...common, ...ground, reason: ask.reason }, by, signed: null, heir };
  }
  const known = recordNamed(host, ask.vm);
  const made = host.deeds.presentClaim(known);
  if (known.state === 'holder' && made?.body.from === by.identity) {
    return { body: made.body, by, signed: made, heir: null };
  }
  const ground = host.deeds.claimGround(known.lineage);
  const { record, against, token } = ground;
  const { lineage, vmUuid, vmName } = record;
  const third = thirdHostRefusal(ask.peers, host.identity.name, ground);
  if (third !== null) throw third;
  const body = { ...common, lineage, token, against, vmUuid, vmName, reason: ask.reason };
  return { body, by, signed: null, heir: null };
}

/**
 * Signs a planned claim, makes this host the holder by it, and starts the VM from the copy here when `start` is asked. A host that has
 * lost its records takes the VM that it has as it is. `confirm` is the VM's name as a person typed it: throws `confirmation-mismatch`.
 */
export async function makeClaim(
  host: Host,
  plan: ClaimPlan,
  ask: { operator: Identity; confirm: string; start: boolean },
): Promise<Signed<Claim>> {
  const { body, by, heir } = plan;
  if (ask.confirm !== body.vmName) {
    throw new SealiftError('confirmation-mismatch', `${JSON.stringify(ask.confirm)} is not the name of ${body.vmName}`);
  }
  const claim = plan.signed ?? signStatement(ask.operator, body);
  if (heir !== null) {
    await refuseMarked(host, body);
    host.deeds.claimAnew(claim, by, heir);
    return claim;
  }
  // What a worker that was killed has left under way is waited for, as before any step.
  const { run } = await inTurn(host, body.lineage, () => Promise.resolve(host.deeds.claim(claim, by)));
  // Made before, by a host that had lost its records: the VM is as it was.
  if (run.notes === null) return claim;
  await startVm(host, { migrationId: run.migrationId, start: ask.start });
  return claim;
}

/** The operator of that identity in this host's file. Throws `unknown-operator`. */
export function pinnedOperator({ file }: Pick<Host, 'file'>, identity: string): Operator {
  const found = file.operator.find((one) => one.identity === identity);
  if (found !== undefined) return found;
  throw new SealiftError('unknown-operator', `${file.name} knows no operator ${identity}`, {
    hint: `add to its file: [[operator]] with name = "…" and identity = "${identity}"`,
  });
}

/**
 * Why this host, `me`, must not claim the VM, by what others tell. A VM that went on from the host that is gone has its deed, or may be
 * about to get it, at a third one: that one never has to heed. So has one that handed it there after this host did, when the host that is
 * gone gave it back before its end.
 */
export function thirdHostRefusal(
  others: readonly DeedWord[],
  me: string,
  { record: { lineage, vmName, token }, against }: Pick<ClaimGround, 'record' | 'against'>,
): SealiftError | null {
  for (const { host, identity, record } of others) {
    if (record?.lineage !== lineage || identity === against || identity === me) continue;
    if (record.state === 'holder' || record.state === 'receiving') {
      const text = `claim refused: ${host} has ${vmName} as ${record.state}, and is not the host that is gone`;
      return new SealiftError('deed-refused', text);
    }
    if (record.state === 'ceded' && record.peer === against && record.token > token) {
      const text = `claim refused: ${host} handed ${vmName} to the host that is gone after this one did`;
      return new SealiftError('deed-refused', text, { hint: `its copy is newer: claim ${vmName} there` });
    }
  }
  return null;
}

/** By what a trusted peer has signed last about the VM to the host that this one was, before it lost its records. */
function groundOfPeers(
  host: Host,
  { vm, peers }: ClaimAsk,
): Pick<Claim, 'lineage' | 'token' | 'against' | 'vmUuid' | 'vmName'> & { heir: string } {
  const about = peers.filter(({ vmUuid, vmName }) => vmUuid === vm || vmName === vm);
  const words = about.flatMap(({ vmUuid, vmName, record, identity, statements, host: name }) => {
    if (record === null) return [];
    if (record.state === 'holder') throw new SealiftError('deed-refused', `claim refused: ${name} holds ${vmName}`);
    if (!host.file.peer.some((peer) => peer.identity === identity)) {
      throw new SealiftError('unknown-peer', `${host.file.name} does not trust ${name} as ${identity}`);
    }
    const word = statements.findLast(({ body }) => body.from === identity && ['deed', 'ready'].includes(body.kind));
    if (word === undefined) return [];
    const kind = word.body.kind === 'deed' ? 'deed' : 'ready';
    const { lineage, to: against } = checkStatement(word, { kind, from: identity }).body;
    return [{ lineage, token: record.token + claimStride, against, vmUuid, vmName, heir: identity }];
  });
  const newest = words.sort((a, b) => b.token - a.token)[0];
  if (newest !== undefined) return newest;
  throw new SealiftError('deed-refused', `claim refused: no peer that is shown has signed anything about ${vm}`);
}

/** A copy with a mark was fenced: it is not the one that ran here last. */
async function refuseMarked(host: Host, { vmUuid, vmName }: Claim): Promise<void> {
  const { found, all } = await findVm(host, vmUuid);
  for (const disk of (await examineDisks(found, all)).disks) {
    const away = disk.lun !== undefined && (await isReservedElsewhere(disk.lun));
    if (!away && (await readMark(disk)) === null) continue;
    throw new SealiftError(
      'unknown-state',
      `disk ${disk.vdev} of ${vmName} carries a fence's mark: this copy was handed over`,
    );
  }
}
