export interface CpioEntry {
  /** Without a leading slash; the folders above it need entries of their own, before it. */
  path: string;
  /** Type and permission bits, as of stat(2). */
  mode: number;
  data?: Buffer;
}

export const cpioFolder = 0o040755;
export const cpioFile = 0o100644;
export const cpioProgram = 0o100755;

/** An archive of the form "newc", as Linux takes it for an initramfs. Archives may stand one after another. */
export function makeCpio(entries: CpioEntry[]): Buffer {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(
    all.flatMap((entry, index) => [header(entry, index + 1), padded(entry.data ?? Buffer.alloc(0))]),
  );
}

function header({ path, mode, data }: CpioEntry, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, time, size, device and rdev (major, minor each), length of the name, no checksum
  const fields = [inode, mode, 0, 0, 1, 0, data?.length ?? 0, 0, 0, 0, 0, name.length, 0];
  const text = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return padded(Buffer.concat([Buffer.from(`070701${text}`), name]));
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc(-data.length & 3)]);
}
