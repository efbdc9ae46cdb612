import { constants } from 'node:fs';
import { access, copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { SealiftError } from '../../domain/error.ts';
import { errorCode } from './guest-disks.ts';
import type { LabDisk } from './lab-host.ts';

const mib = 1024 * 1024;
const dataBytes = 8 * mib;
/** Leaves about a third of the file system's chunks zero. */
const contentShare = 0.66;
/** Smaller files would make many, and slow. */
const smallestFileBytes = 64 * 1024;

/**
 * Makes the disks of the demonstration's VM in `folder`: xvda, a real ext4 file system of 512 MiB (or `systemMib`) with files of
 * this machine, a third of it zeros, and xvdb, 8 MiB for the guest's records. Disks that are there are kept. Needs no root.
 * Throws 'bad-usage' when mke2fs is not installed.
 */
export async function makeDemoDisks(folder: string, { systemMib = 512 } = {}): Promise<LabDisk[]> {
  await mkdir(folder, { recursive: true });
  const system = { path: join(folder, 'xvda.raw'), vdev: 'xvda', sizeBytes: systemMib * mib };
  const data = { path: join(folder, 'xvdb.raw'), vdev: 'xvdb', sizeBytes: dataBytes };
  if (!(await isThere(system.path))) await makeFileSystemImage(system.path, system.sizeBytes);
  if (!(await isThere(data.path))) {
    const file = await open(data.path, 'wx', 0o600);
    await file.truncate(data.sizeBytes);
    await file.close();
  }
  return [system, data];
}

/** Makes an ext4 file system with files of this machine, a third of it zeros, as the file `path`. Throws 'bad-usage' when mke2fs is not installed. */
export async function makeFileSystemImage(path: string, sizeBytes: number): Promise<void> {
  const [draft, content] = [`${path}.new`, `${path}.content`];
  await rm(content, { recursive: true, force: true });
  await rm(draft, { force: true });
  try {
    await mkdir(content);
    await gather(content, sizeBytes * contentShare);
    await makeExt4(content, draft, sizeBytes);
    await rename(draft, path);
  } finally {
    await rm(content, { recursive: true, force: true });
    await rm(draft, { force: true });
  }
}

async function makeExt4(content: string, file: string, sizeBytes: number): Promise<void> {
  // Where a distribution keeps mke2fs is often not on the PATH of an ordinary user.
  const path = [process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter);
  const args = ['-q', '-F', '-t', 'ext4', '-m', '0', '-L', 'web-1', '-d', content, file, `${String(sizeBytes / mib)}M`];
  try {
    await execa('mke2fs', args, { env: { PATH: path } });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw new SealiftError('bad-usage', 'mke2fs is not installed, so no demonstration disk can be made', {
      hint: 'install the package e2fsprogs',
      cause: error,
    });
  }
}

/** Fills the folder with the largest files of this machine that fit. */
async function gather(content: string, contentBytes: number): Promise<void> {
  let left = contentBytes;
  let count = 0;
  const taken = new Set<string>();
  for (const root of sources()) {
    const files = (await largeFiles(root)).sort((a, b) => b.bytes - a.bytes);
    for (const { path, bytes, id } of files) {
      // A file of two names would be one in the image as well.
      if (bytes > left || taken.has(id)) continue;
      taken.add(id);
      await place(path, join(content, `${String(count).padStart(4, '0')}-${path.slice(path.lastIndexOf('/') + 1)}`));
      left -= bytes;
      count += 1;
    }
    if (left < smallestFileBytes * 16) return;
  }
}

/** This program's own packages first: they are there on every machine that runs it. */
function sources(): string[] {
  const modules = join(dirname(fileURLToPath(import.meta.url)), '../../node_modules');
  return [modules, dirname(process.execPath), '/usr/lib', '/usr/bin', '/usr/share'];
}

interface LargeFile {
  path: string;
  /** What it takes on disk, where its own zeros count for nothing. */
  bytes: number;
  id: string;
}

async function largeFiles(root: string): Promise<LargeFile[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: LargeFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const facts = await stat(path).catch(() => null);
    if (facts === null || facts.size < smallestFileBytes || !(await isReadable(path))) continue;
    files.push({
      path,
      bytes: Math.min(facts.size, facts.blocks * 512),
      id: `${String(facts.dev)}:${String(facts.ino)}`,
    });
  }
  return files;
}

/** A second name costs nothing; another file system or another's file wants a copy. */
async function place(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  }
}

async function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
