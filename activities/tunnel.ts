import type { DeedRun } from '../deed/record.ts';
import { refusal } from '../domain/concern.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import type { Signed, Tunnel } from '../domain/statement.ts';
import type { Concern, HostCard } from '../domain/survey.ts';
import { newTunnelKey } from '../transport/ipsec/tunnel-key.ts';
import type { TunnelKey } from '../transport/ipsec/tunnel-key.ts';
import { addressesOf, checkTunnelReady, lowerTunnel, prepareTunnel, raiseTunnel } from '../transport/ipsec/tunnel.ts';
import type { TunnelEnd } from '../transport/ipsec/tunnel.ts';
import type { LandingAddress } from '../transport/line.ts';
import { runName } from './folders.ts';
import type { Host } from './host.ts';
import { findNotes, updateNotes } from './notes.ts';
import { inTurn } from './vm-turn.ts';

/** What a source's process holds of a run's tunnel. Its key goes nowhere else but to strongSwan; a process that starts anew draws another. */
export interface RunTunnel {
  key: TunnelKey;
  /** Once it is raised and proven. */
  up: { end: TunnelEnd; landing: LandingAddress } | null;
}

/**
 * Source, `tunnel`: draws the key of this end and signs its public half. Null while a transfer goes on in a tunnel that is up: it needs no other, whatever became of
 * the attempt that attended to it.
 */
export function offerTunnel(
  host: Host,
  { migrationId }: { migrationId: string },
): Promise<{ tunnel: Signed<Tunnel> | null }> {
  return inRunsTurn(host, migrationId, async () => {
    if ((await host.jobs.find(migrationId)) !== null && host.tunnels.get(migrationId)?.up != null)
      return { tunnel: null };
    const key = newTunnelKey();
    const tunnel = host.deeds.signTunnel(migrationId, key.publicKey);
    host.tunnels.set(migrationId, { key, up: null });
    return { tunnel };
  });
}

/** Destination, `tunnel`: makes its end ready for the source's, and lets its landing be reached inside. Throws `tunnel-unready`, `tunnel-down`. */
export function joinTunnel(
  host: Host,
  ask: { migrationId: string; tunnel: Signed<Tunnel> },
): Promise<{ tunnel: Signed<Tunnel> }> {
  return inRunsTurn(host, ask.migrationId, async () => {
    const { publicKey } = host.deeds.checkTunnel(ask.migrationId, ask.tunnel).body;
    const own = newTunnelKey();
    const tunnel = host.deeds.signTunnel(ask.migrationId, own.publicKey);
    const end = await newEnd(host, ask.migrationId, own, publicKey);
    await prepareTunnel(end);
    await host.landing.openInside(addressesOf(end).own);
    return { tunnel };
  });
}

/**
 * Source, `tunnel`: raises the tunnel to a destination that has joined, and proves it. Throws `tunnel-down` when it does not come up,
 * or the key that was offered is gone with an earlier process; `tunnel-leaks`, `tunnel-unready`.
 */
export function raiseRunTunnel(
  host: Host,
  ask: { migrationId: string; tunnel: Signed<Tunnel>; destination: HostCard },
): Promise<{ rttMs: number }> {
  return inRunsTurn(host, ask.migrationId, async () => {
    const { publicKey } = host.deeds.checkTunnel(ask.migrationId, ask.tunnel).body;
    const offered = host.tunnels.get(ask.migrationId);
    if (offered === undefined) throw notUp(ask.migrationId);
    const end = await newEnd(host, ask.migrationId, offered.key, publicKey);
    const { landing } = ask.destination;
    const raised = await raiseTunnel(end, landing);
    const { own, there } = addressesOf(end);
    const up = { end, landing: { address: there, port: landing.port, from: own } };
    host.tunnels.set(ask.migrationId, { key: offered.key, up });
    return raised;
  });
}

/** The tunnel that the run's bytes cross in. Throws `tunnel-down`. */
export function runTunnel(host: Host, migrationId: string): NonNullable<RunTunnel['up']> {
  const up = host.tunnels.get(migrationId)?.up;
  if (up == null) throw notUp(migrationId);
  return up;
}

/** Takes away what this host has of the run's tunnel, of which nothing may cross any more, after what is being done with it. */
export function lowerRunTunnel(host: Host, migrationId: string): Promise<void> {
  return isTunnel(host, migrationId)
    ? inRunsTurn(host, migrationId, () => lowerInTurn(host, migrationId))
    : Promise.resolve();
}

/** The same in a step that has its VM's turn already. */
export async function lowerInTurn(host: Host, migrationId: string): Promise<void> {
  if (!isTunnel(host, migrationId)) return;
  host.tunnels.delete(migrationId);
  await removeEnd(host, migrationId);
}

/** The same for all runs: of a process that ends, or ended without a word. */
export async function lowerAllTunnels(host: Host): Promise<void> {
  for (const { migrationId } of tunnelRuns(host)) await lowerInTurn(host, migrationId);
}

/** The same for runs of a VM that another one has taken the place of. */
export async function lowerEndedTunnels(host: Host, lineage: string): Promise<void> {
  for (const { migrationId, state } of tunnelRuns(host, lineage))
    if (state !== 'open') await lowerRunTunnel(host, migrationId);
}

/** What keeps this host from being the end of a tunnel. */
export async function tunnelConcerns({ file }: Host): Promise<Concern[]> {
  try {
    await checkTunnelReady(file.tunnel.vici);
    return [];
  } catch (error) {
    if (!isSealiftError(error)) throw error;
    return [refusal('tunnel-unready', `${file.name}: ${error.message}`, error.hint)];
  }
}

/** This host's end with a new key. What is there of an earlier one is removed, and that there is one again is written down before it is. */
async function newEnd(host: Host, migrationId: string, own: TunnelKey, peerKey: string): Promise<TunnelEnd> {
  await removeEnd(host, migrationId);
  updateNotes(host.deeds, migrationId, { tunnelKey: own.publicKey });
  return { ...endOf(host, migrationId), own, peerKey };
}

async function removeEnd(host: Host, migrationId: string): Promise<void> {
  const publicKey = findNotes(host.deeds, migrationId)?.tunnelKey ?? null;
  if (publicKey === null) return;
  const end = endOf(host, migrationId);
  if (end.role === 'destination') await host.landing.closeInside(addressesOf(end).own);
  await lowerTunnel(end, publicKey);
  updateNotes(host.deeds, migrationId, { tunnelKey: null });
}

function tunnelRuns(host: Host, lineage?: string): DeedRun[] {
  return host.deeds.runs(lineage).filter(({ method }) => method === 'tunnel');
}

function isTunnel(host: Host, migrationId: string): boolean {
  return host.deeds.hasRun(migrationId) && host.deeds.byMigration(migrationId).run.method === 'tunnel';
}

/** An attempt that was given up goes on by itself: what follows waits for it. */
function inRunsTurn<Result>(host: Host, migrationId: string, step: () => Promise<Result>): Promise<Result> {
  return inTurn(host, host.deeds.byMigration(migrationId).run.lineage, step);
}

function endOf(host: Host, migrationId: string): Pick<TunnelEnd, 'run' | 'role' | 'vici' | 'esp'> {
  const { run } = host.deeds.byMigration(migrationId);
  return { run: runName(run), role: run.role, ...host.file.tunnel };
}

function notUp(migrationId: string): SealiftError {
  return new SealiftError('tunnel-down', `the tunnel of migration ${migrationId} is not up`);
}
