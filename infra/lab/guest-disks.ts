import { realpathSync, statSync } from './fs.ts';
import type { GuestConfig, GuestDisk } from './guest-config.ts';
import type { DomainRow, LivingDomain } from './state.ts';

/** A disk of a domain as it lies in dom0. */
export interface PlacedDisk extends GuestDisk {
  target: string;
  /** The file itself, links followed. */
  realPath: string;
  /** Names the file or device, whatever its path. */
  id: string;
}

/** The system's error code of a failed call, as libxl prints it. */
export function errorText(code: string): string {
  const texts: Record<string, string> = {
    ENOENT: 'No such file or directory',
    EACCES: 'Permission denied',
    EPERM: 'Operation not permitted',
    ENOTDIR: 'Not a directory',
    EIO: 'Input/output error',
  };
  return texts[code] ?? code;
}

/** The code of a system error (`ENOENT`), or null for any other error. */
export function errorCode(error: unknown): string | null {
  // Not `instanceof Error`: under a test runner the system's errors come from another realm.
  const named = typeof error === 'object' && error !== null && 'code' in error;
  return named && typeof error.code === 'string' ? error.code : null;
}

/**
 * Looks where the disks of `config` lie; an empty drive is left out. A disk that is not there ends it, with its index and
 * the system's error code.
 */
export function placeDisks(
  config: GuestConfig,
): { disks: PlacedDisk[] } | { index: number; disk: GuestDisk; code: string } {
  const disks: PlacedDisk[] = [];
  for (const [index, disk] of config.disks.entries()) {
    if (disk.target === null) continue;
    try {
      const stat = statSync(disk.target);
      const id = stat.isBlockDevice() ? `device ${String(stat.rdev)}` : `file ${String(stat.dev)}:${String(stat.ino)}`;
      disks.push({ ...disk, target: disk.target, realPath: realpathSync(disk.target), id });
    } catch (error) {
      const code = errorCode(error);
      if (code === null) throw error;
      return { index, disk, code };
    }
  }
  return { disks };
}

/** What a domain's row keeps of its disks. */
export function heldDisks(disks: PlacedDisk[]): DomainRow['held'] {
  return disks.map(({ id, access }) => ({ id, access }));
}

/**
 * The first disk that another domain of this host has, by the rules of Xen's block script: a writer shares with nobody, a
 * reader with readers, and `w!` does not look. Other hosts are never asked.
 */
export function sharedDisk(disks: PlacedDisk[], others: LivingDomain[]): PlacedDisk | null {
  const held = others.flatMap((domain) => domain.held);
  const clashes = (disk: PlacedDisk): boolean =>
    held.some(({ id, access }) => id === disk.id && (disk.access === 'w' || (disk.access === 'r' && access === 'w')));
  return disks.find(clashes) ?? null;
}
