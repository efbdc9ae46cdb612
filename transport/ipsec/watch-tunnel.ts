import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealiftError } from '../../domain/error.ts';
import { routeTo, tunnelCount } from './tunnel.ts';
import type { TunnelEnd } from './tunnel.ts';

/** What has been given to the kernel to be sent in the tunnel, since the transfer's start. */
export interface GivenToTunnel {
  bytes: number;
  streams: number;
}

const lookMs = 1_000;
/** Of what strongSwan counts late. */
const slackBytes = 16 * 1024 * 1024;

/**
 * Watches, once a second, that what is sent goes through the tunnel: its SA is there, the way to the landing is the one that was proven, and
 * strongSwan has counted all that the kernel cannot hold back. Only ends by throwing `tunnel-down` or `tunnel-leaks`, or when `signal` is aborted.
 */
export async function watchTunnel(end: TunnelEnd, given: () => GivenToTunnel, signal: AbortSignal): Promise<void> {
  const heldBytes = await mostHeldBytes();
  const route = await routeTo(end);
  const before = await tunnelCount(end);
  let countedBytes = 0;
  let last = before.bytesOut;
  while (!signal.aborted) {
    await sleep(lookMs, undefined, { signal, ref: false }).catch(() => undefined);
    const now = await routeTo(end);
    if (now !== route) throw leaking(`the way to the landing was ${route} and is ${now}`);
    const { bytesOut } = await tunnelCount(end);
    // A new SA counts from nought.
    countedBytes += bytesOut >= last ? bytesOut - last : bytesOut;
    last = bytesOut;
    const { bytes, streams } = given();
    if (bytes - countedBytes > streams * heldBytes + slackBytes)
      throw leaking(`of ${String(bytes)} bytes that were sent, ${String(countedBytes)} went through the tunnel`);
  }
}

/** What the kernel takes of one connection before it is sent: tcp(7), tcp_wmem. */
async function mostHeldBytes(): Promise<number> {
  const text = await readFile('/proc/sys/net/ipv4/tcp_wmem', 'utf8');
  return Number(text.trim().split(/\s+/)[2]);
}

function leaking(how: string): SealiftError {
  return new SealiftError('tunnel-leaks', `the transfer was stopped: ${how}`);
}
