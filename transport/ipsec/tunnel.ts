import { connect } from 'node:net';
import { execa } from 'execa';
import { SealiftError } from '../../domain/error.ts';
import type { EspProposal } from '../../domain/host-file.ts';
import { errorCode } from '../../dom0/system-errors.ts';
import { mostPingBytes } from '../opening.ts';
import { measureRoundTrip } from '../round-trip.ts';
import { innerAddresses, innerPrefix } from './inner-address.ts';
import { countTunnel } from './security-association.ts';
import type { CountedSa } from './security-association.ts';
import { keyId, publicPem } from './tunnel-key.ts';
import type { TunnelKey } from './tunnel-key.ts';
import type { ViciMessage } from './vici-message.ts';
import { Vici } from './vici.ts';

/** One end of a run's tunnel, as this host makes it. */
export interface TunnelEnd {
  /** `<lineage>/<token>`. */
  run: string;
  role: 'source' | 'destination';
  /** charon's control socket. */
  vici: string;
  esp: EspProposal;
  own: TunnelKey;
  /** The public half of the other end's key. */
  peerKey: string;
}

/** How long strongSwan may take to agree with the other end. */
const agreeMs = 20_000;
/** A connection that nothing lets out is refused at once. */
const refusedMs = 2_000;
/** All that is inside of any tunnel; every other route comes before it. */
const guard = ['unreachable', `${innerPrefix}::/32`, 'metric', '4294967294'];
const ikeProposal = 'aes256gcm16-prfsha384-ecp384';

/**
 * Makes this host ready for a run's tunnel: its inner address, no other way to the other one, and what strongSwan has to know.
 * Nothing of an earlier one may be there (`lowerTunnel`). Throws `tunnel-down` where no strongSwan answers, `tunnel-unready` where a right is missing.
 */
export async function prepareTunnel(end: TunnelEnd, peerAddress: string | null = null): Promise<void> {
  const { own } = addressesOf(end);
  await guardInside();
  await ip('-6', 'address', 'replace', `${own}/128`, 'dev', 'lo', 'nodad');
  await Vici.with(end.vici, async (vici) => {
    await vici.ask('load-key', { type: 'any', data: end.own.secret });
    await vici.ask('load-conn', { [nameOf(end)]: connectionOf(end, peerAddress) });
  });
}

/**
 * Source: raises the tunnel to a destination that is prepared, and proves it before a byte of a guest crosses: while it is
 * down nothing gets to the landing's inner address; then its SA has the cipher that was asked for, and a probe there and back is counted
 * in it. Throws `tunnel-down`, `tunnel-unready`, `tunnel-leaks`.
 */
export async function raiseTunnel(end: TunnelEnd, peer: { address: string; port: number }): Promise<{ rttMs: number }> {
  await prepareTunnel(end, peer.address);
  const { own, there } = addressesOf(end);
  await provesShut(own, { address: there, port: peer.port });
  const name = nameOf(end);
  return Vici.with(end.vici, async (vici) => {
    await vici.ask('initiate', { ike: name, child: name, timeout: String(agreeMs) }, agreeMs + 5_000);
    const [before] = await countTunnel(vici, name, end.esp);
    const rttMs = await measureRoundTrip({ address: there, port: peer.port, from: own }, mostPingBytes);
    const [after] = await countTunnel(vici, name, end.esp);
    const [out, back] = [after.bytesOut - before.bytesOut, after.packetsIn - before.packetsIn];
    if (out < mostPingBytes || back === 0)
      throw new SealiftError('tunnel-leaks', `a probe to ${there} was answered, but not through the tunnel`);
    return { rttMs };
  });
}

/** By which way the landing's inner address is reached now, in the words of ip-route(8). Throws `tunnel-down` when there is none. */
export async function routeTo(end: Pick<TunnelEnd, 'run' | 'role'>): Promise<string> {
  const { own, there } = addressesOf(end);
  const { failed, stdout } = await execa('ip', ['-6', '-o', 'route', 'get', there, 'from', own], { reject: false });
  if (failed) throw new SealiftError('tunnel-down', `there is no way to ${there}`);
  return stdout
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/ (expires|uid) \S+/g, '');
}

/** Whether this host can be the end of a tunnel at all. Throws `tunnel-down` where no strongSwan answers, `tunnel-unready` where a right is missing. */
export async function checkTunnelReady(vici: string): Promise<void> {
  await Vici.with(vici, (charon) => charon.ask('version'));
  await guardInside();
}

/** What the tunnel has carried. Throws `tunnel-down` when it is not there any more. */
export async function tunnelCount({
  vici,
  esp,
  ...end
}: Pick<TunnelEnd, 'vici' | 'esp' | 'run' | 'role'>): Promise<CountedSa[]> {
  return Vici.with(vici, (charon) => countTunnel(charon, nameOf(end), esp));
}

/**
 * Takes away what this host has of a run's tunnel, whose key was `publicKey`; what is not there is no matter, and neither is a strongSwan that does not answer.
 * The guard stays: connections may be there yet.
 */
export async function lowerTunnel(end: Pick<TunnelEnd, 'vici' | 'run' | 'role'>, publicKey: string): Promise<void> {
  const { own, there } = addressesOf(end);
  await Vici.with(end.vici, async (vici) => {
    const name = nameOf(end);
    await vici.ask('unload-conn', { name }).catch(passOver);
    await vici.ask('terminate', { ike: name, force: 'yes', timeout: '-1' }).catch(passOver);
    await vici.ask('unload-key', { id: keyId(publicKey) }).catch(passOver);
  }).catch(passOver);
  // A strongSwan that was killed leaves the kernel what it had told it.
  for (const [from, to] of [
    [own, there],
    [there, own],
  ] as const)
    await ip('xfrm', 'policy', 'deleteall', 'src', `${from}/128`, 'dst', `${to}/128`).catch(passOver);
  await ip('-6', 'route', 'delete', `${there}/128`, 'table', '220').catch(passOver);
  await ip('-6', 'address', 'delete', `${own}/128`, 'dev', 'lo').catch(passOver);
}

/** From now on nothing that is meant for the inside of a tunnel gets out in the clear, whatever becomes of tunnels: strongSwan's routes come before this one. It is never taken back. */
async function guardInside(): Promise<void> {
  await ip('-6', 'route', 'replace', ...guard);
}

/** Where the ends of a run's tunnel are inside it. */
export function addressesOf({ run, role }: Pick<TunnelEnd, 'run' | 'role'>): { own: string; there: string } {
  const { source, destination } = innerAddresses(run);
  return role === 'source' ? { own: source, there: destination } : { own: destination, there: source };
}

function connectionOf(end: TunnelEnd, peerAddress: string | null): ViciMessage {
  const { own, there } = addressesOf(end);
  const other = end.role === 'source' ? 'destination' : 'source';
  return {
    version: '2',
    // A source may come from behind address translation.
    ...(peerAddress === null ? {} : { remote_addrs: [peerAddress] }),
    proposals: [ikeProposal],
    mobike: 'no',
    dpd_delay: '10',
    local: { auth: 'pubkey', pubkeys: [publicPem(end.own.publicKey)], id: idOf(end.run, end.role) },
    remote: { auth: 'pubkey', pubkeys: [publicPem(end.peerKey)], id: idOf(end.run, other) },
    children: {
      [nameOf(end)]: {
        mode: 'tunnel',
        local_ts: [`${own}/128`],
        remote_ts: [`${there}/128`],
        esp_proposals: [end.esp],
        start_action: 'none',
      },
    },
  };
}

/** While the tunnel is down, whoever answers at the inner address would be reached in the clear. */
async function provesShut(own: string, { address, port }: { address: string; port: number }): Promise<void> {
  const socket = connect({ host: address, port, localAddress: own });
  const outcome = await new Promise<string>((resolve) => {
    socket.once('connect', () => {
      resolve('reached');
    });
    socket.once('error', (error) => {
      resolve(errorCode(error));
    });
    setTimeout(resolve, refusedMs, 'silent').unref();
  });
  socket.destroy();
  if (['EHOSTUNREACH', 'ENETUNREACH', 'EACCES'].includes(outcome)) return;
  throw new SealiftError('tunnel-leaks', `there is a way to ${address} beside the tunnel (${outcome})`, {
    hint: `see on the source: ip -6 route get ${address}`,
  });
}

function nameOf({ run, role }: Pick<TunnelEnd, 'run' | 'role'>): string {
  return `sealift-${role}-${run.replace('/', '-')}`;
}

function idOf(run: string, role: TunnelEnd['role']): string {
  const [lineage, token] = run.split('/');
  return `fqdn:${role}.${String(token)}.${String(lineage)}`;
}

async function ip(...words: string[]): Promise<void> {
  const { failed, stderr, code } = await execa('ip', words, { reject: false, stdin: 'ignore' });
  if (!failed) return;
  const said = stderr === '' ? (code ?? 'unknown') : stderr.split('\n')[0];
  throw new SealiftError('tunnel-unready', `ip ${words.join(' ')}: ${String(said)}`, {
    hint: 'a tunnel needs root, iproute2 and IPv6',
  });
}

function passOver(error: unknown): void {
  if (!(error instanceof SealiftError)) throw error;
}
