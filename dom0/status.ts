import { SealiftError } from '../domain/error.ts';
import type { FileStatus } from './access.ts';

/** What stat(1) is asked for: device, inode, the device it stands for (major and minor), type and mode, size, owner, links, blocks of 512, time. */
export const statusFormat = '%d %i %t %T %f %s %u %h %b %.9Y';

/** A line in that format, and what follows it: a path. Throws 'dom0-away' when it is none. */
export function parseStatus(line: string): { status: FileStatus; path: string } {
  const found =
    /^(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) (\d+) (\d+) (\d+) (\d+) (-?\d+)\.(\d{9})(?: (.*))?$/.exec(
      line.replace(/\n$/, ''),
    );
  if (found === null) throw new SealiftError('dom0-away', 'stat in dom0 is not that of GNU coreutils');
  const [, dev, ino, major, minor, mode, size, uid, nlink, blocks, seconds, nanoseconds, path = ''] = found;
  const raw = parseInt(mode ?? '', 16);
  const status = {
    dev: BigInt(dev ?? 0),
    ino: BigInt(ino ?? 0),
    rdev: deviceNumber(BigInt(`0x${major ?? ''}`), BigInt(`0x${minor ?? ''}`)),
    sizeBytes: Number(size),
    mode: raw & 0o7777,
    uid: Number(uid),
    nlink: Number(nlink),
    takenBytes: Number(blocks) * 512,
    mtimeNs: BigInt(seconds ?? 0) * 1_000_000_000n + BigInt(nanoseconds ?? 0),
    kind: kinds.get(raw & 0o170000) ?? 'other',
  } satisfies FileStatus;
  return { status, path };
}

/** S_IFMT of inode(7). */
const kinds = new Map<number, FileStatus['kind']>([
  [0o100000, 'file'],
  [0o040000, 'folder'],
  [0o120000, 'link'],
  [0o060000, 'block'],
]);

/** makedev(3) */
function deviceNumber(major: bigint, minor: bigint): bigint {
  return ((major & 0xfffff000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffffff00n) << 12n) | (minor & 0xffn);
}
