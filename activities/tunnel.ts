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

/** What a host's process holds of a run's tunnel. Its key goes nowhere else but to strongSwan; a process that starts anew draws another. */
export interface RunTunnel {
  key: TunnelKey;
  /** At the source, once it is raised and proven. */
  up: { end: TunnelEnd; landing: LandingAddress } | null;
}

/** Source, `tunnel`: draws the key of this end and signs its public half. */
export function offerTunnel(host: Host, { migrationId }: { migrationId: string }): { tunnel: Signed<Tunnel> } {
  const key = newTunnelKey();
  const tunnel = host.deeds.signTunnel(migrationId, key.publicKey);
  host.tunnels.set(migrationId, { key, up: null });
  return { tunnel };
}

/** Destination, `tunnel`: makes its end ready for the source's, and lets its landing be reached inside. Throws `tunnel-unready`. */
export async function joinTunnel(
  host: Host,
  ask: { migrationId: string; tunnel: Signed<Tunnel> },
): Promise<{ tunnel: Signed<Tunnel> }> {
  const { publicKey } = host.deeds.checkTunnel(ask.migrationId, ask.tunnel).body;
  const own = newTunnelKey();
  const tunnel = host.deeds.signTunnel(ask.migrationId, own.publicKey);
  host.tunnels.set(ask.migrationId, { key: own, up: null });
  const end = { ...endOf(host, ask.migrationId), own, peerKey: publicKey };
  await prepareTunnel(end);
  await host.landing.openInside(addressesOf(end).own);
  return { tunnel };
}

/**
 * Source, `tunnel`: raises the tunnel to a destination that has joined, and proves it. Throws `tunnel-down` when it does not come up,
 * or the key that was offered is gone with an earlier process; `tunnel-leaks`, `tunnel-unready`.
 */
export async function raiseRunTunnel(
  host: Host,
  ask: { migrationId: string; tunnel: Signed<Tunnel>; destination: HostCard },
): Promise<{ rttMs: number }> {
  const { publicKey } = host.deeds.checkTunnel(ask.migrationId, ask.tunnel).body;
  const offered = host.tunnels.get(ask.migrationId);
  if (offered === undefined) throw notUp(ask.migrationId);
  const end = { ...endOf(host, ask.migrationId), own: offered.key, peerKey: publicKey };
  const { landing } = ask.destination;
  const raised = await raiseTunnel(end, landing);
  const { own, there } = addressesOf(end);
  host.tunnels.set(ask.migrationId, {
    key: offered.key,
    up: { end, landing: { address: there, port: landing.port, from: own } },
  });
  return raised;
}

/** The tunnel that the run's bytes cross in. Throws `tunnel-down`. */
export function runTunnel(host: Host, migrationId: string): NonNullable<RunTunnel['up']> {
  const up = host.tunnels.get(migrationId)?.up;
  if (up == null) throw notUp(migrationId);
  return up;
}

/** Takes away what this host has of the run's tunnel, of which nothing may cross any more. */
export async function lowerRunTunnel(host: Host, migrationId: string): Promise<void> {
  if (!host.deeds.hasRun(migrationId) || host.deeds.byMigration(migrationId).run.method !== 'tunnel') return;
  host.tunnels.delete(migrationId);
  const end = endOf(host, migrationId);
  if (end.role === 'destination') await host.landing.closeInside(addressesOf(end).own);
  await lowerTunnel(end);
}

/** The same for all runs that are open: of a process that ends, or ended without a word. */
export async function lowerAllTunnels(host: Host): Promise<void> {
  for (const { migrationId } of host.deeds.openRuns()) await lowerRunTunnel(host, migrationId);
}

/** The same for runs that another one of the VM has taken the place of. */
export async function lowerEndedTunnels(host: Host): Promise<void> {
  for (const migrationId of [...host.tunnels.keys()])
    if (host.deeds.byMigration(migrationId).run.state !== 'open') await lowerRunTunnel(host, migrationId);
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

function endOf(host: Host, migrationId: string): Pick<TunnelEnd, 'run' | 'role' | 'vici' | 'esp'> {
  const { run } = host.deeds.byMigration(migrationId);
  return { run: runName(run), role: run.role, ...host.file.tunnel };
}

function notUp(migrationId: string): SealiftError {
  return new SealiftError('tunnel-down', `the tunnel of migration ${migrationId} is not up`);
}
