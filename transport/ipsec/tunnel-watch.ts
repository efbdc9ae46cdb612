import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SealiftError } from '../../domain/error.ts';
import { routeTo, tunnelCount } from './tunnel.ts';
import type { TunnelEnd } from './tunnel.ts';

/** What has been given to the kernel to be sent in the tunnel, since the watch began, and by how many connections. */
export interface GivenToTunnel {
  bytes: number;
  connections: number;
}

type Watched = Pick<TunnelEnd, 'vici' | 'esp' | 'run' | 'role'>;

const lookMs = 1_000;
/** Of what strongSwan counts late. */
const slackBytes = 16 * 1024 * 1024;

/** Watches that what is sent goes through the tunnel. */
export class TunnelWatch {
  readonly #end: Watched;
  readonly #route: string;
  /** What the kernel may take of one connection that is never sent. */
  readonly #heldBytes: number;
  /** Bytes of each SA by its SPI: a rekeyed one counts on its own. */
  readonly #counted = new Map<string, number>();
  readonly #beforeBytes: number;

  private constructor(end: Watched, route: string, heldBytes: number, beforeBytes: number) {
    this.#end = end;
    this.#route = route;
    this.#heldBytes = heldBytes;
    this.#beforeBytes = beforeBytes;
  }

  /** Begins, before the first byte. Throws `tunnel-down`. */
  static async begin(end: Watched): Promise<TunnelWatch> {
    const before = (await tunnelCount(end)).reduce((sum, { bytesOut }) => sum + bytesOut, 0);
    return new TunnelWatch(end, await routeTo(end), await mostHeldBytes(), before);
  }

  /**
   * Looks once a second that the SA is there, that the way to the landing is the one that was proven, and that strongSwan has counted all that the kernel cannot
   * hold back. Only ends by throwing `tunnel-down` or `tunnel-leaks`, or when `signal` is aborted.
   */
  async run(given: () => GivenToTunnel, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look(given());
      await sleep(lookMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async #look({ bytes, connections }: GivenToTunnel): Promise<void> {
    const route = await routeTo(this.#end);
    if (route !== this.#route) throw leaking(`the way to the landing was ${this.#route} and is ${route}`);
    for (const { spi, bytesOut } of await tunnelCount(this.#end)) this.#counted.set(spi, bytesOut);
    const through = [...this.#counted.values()].reduce((sum, one) => sum + one, 0) - this.#beforeBytes;
    if (bytes - through > connections * this.#heldBytes + slackBytes)
      throw leaking(`of ${String(bytes)} bytes that were sent, ${String(through)} went through the tunnel`);
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
