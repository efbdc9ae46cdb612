import { setTimeout as pause } from 'node:timers/promises';
import { SealiftError } from '../domain/error.ts';
import type { Domain, Toolstack } from './toolstack.ts';

/**
 * The domains that count as a VM running on this host: of its uuid under whatever name (Xen starts a second one gladly), or
 * of its name. Dying ones are among them: they may still hold a disk.
 */
export async function domainsOf(
  toolstack: Toolstack,
  vm: { uuid: string; name?: string | undefined },
): Promise<Domain[]> {
  return (await toolstack.list()).filter((domain) => domain.uuid === vm.uuid || domain.name === vm.name);
}

/** Whether no domain of the uuid is there, under whatever name, not even a dying one. */
export async function domainGone(toolstack: Toolstack, uuid: string): Promise<boolean> {
  return (await domainsOf(toolstack, { uuid })).length === 0;
}

/**
 * The one domain among those of a VM: one that is alive before one that is dying, null when there is none. Two that are alive
 * are 'unknown-state'.
 */
export function onlyDomain(domains: Domain[]): Domain | null {
  const alive = domains.filter((domain) => domain.state !== 'dying');
  if (alive.length > 1) throw new SealiftError('unknown-state', 'two domains carry the same uuid or name');
  return alive[0] ?? domains[0] ?? null;
}

export interface GoneOptions {
  limitMs: number;
  /** The longest pause between two looks; the first ones are shorter. Default 100. */
  pollMs?: number;
  /**
   * A domain that nobody saw powered off must be gone for this long: one that reboots is absent for a moment too. Default 250.
   */
  confirmMs?: number;
  /** The same for one that was seen to reboot: its xl may take so long to build the new one. Default 30,000. */
  rebootMs?: number;
  /** A domain that is shut down and still there for this long is kept so by its configuration. Default 5000. */
  keptMs?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Waits until a VM's domains, as they were seen `before`, are gone. `gone`: nothing of the uuid is there. `kept`: it has shut down, or crashed, and stays
 * (on_poweroff=preserve): destroying it loses nothing. `rebooted`: a new domain came in its place. `stuck`: it is still there
 * after `limitMs`. Throws what the toolstack throws, and the signal's reason.
 */
export async function awaitGone(
  toolstack: Toolstack,
  { uuid, before }: { uuid: string; before: Domain[] },
  { limitMs, pollMs = 100, confirmMs = 250, rebootMs = 30_000, keptMs = 5000, signal }: GoneOptions,
): Promise<'gone' | 'kept' | 'rebooted' | 'stuck'> {
  const end = performance.now() + limitMs;
  let poweredOff = false;
  let reboots = false;
  let pauseMs = pollMs / 8;
  let goneSince: number | null = null;
  let downSince: number | null = null;
  for (;;) {
    const domains = await domainsOf(toolstack, { uuid });
    const now = performance.now();
    if (domains.some(({ domid }) => !before.some((known) => known.domid === domid))) return 'rebooted';
    // Xen tells why a domain has shut down until it is gone; nothing comes back after a power-off.
    poweredOff ||= domains.some((domain) => domain.shutdownReason === 'poweroff');
    reboots ||= domains.some((domain) => domain.shutdownReason === 'reboot');
    goneSince = domains.length > 0 ? null : (goneSince ?? now);
    downSince = domains.some((domain) => !isDown(domain)) ? null : (downSince ?? now);
    if (goneSince !== null && (poweredOff || now - goneSince >= (reboots ? rebootMs : confirmMs))) return 'gone';
    if (goneSince === null && downSince !== null && now - downSince >= keptMs) return 'kept';
    if (goneSince === null && now >= end) return 'stuck';
    await pause(pauseMs, undefined, { signal });
    pauseMs = Math.min(pauseMs * 1.5, pollMs);
  }
}

function isDown(domain: Domain): boolean {
  return domain.state === 'shutdown' || domain.state === 'crashed';
}
