import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { cpioFile } from './cpio.ts';
import type { CpioEntry } from './cpio.ts';

/**
 * The ELF kernel within a bzImage (its setup header tells where, boot protocol 2.08). Booted instead of the bzImage it saves
 * an emulated processor the decompression, at each boot of a host and each `xl create`. Needs `xz`.
 */
export async function extractKernel(bzImage: Buffer): Promise<Buffer> {
  if (bzImage.toString('latin1', 0x202, 0x206) !== 'HdrS') throw new Error('the kernel is not a bzImage');
  const setupSectors = bzImage.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + bzImage.readUInt32LE(0x248);
  const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(0x24c));
  // The size of the kernel follows the compressed stream.
  const { stdout } = await execa('xz', ['--decompress', '--stdout', '--single-stream'], {
    input: payload,
    encoding: 'buffer',
    maxBuffer: 512 * 1024 * 1024,
  });
  const kernel = Buffer.from(stdout);
  if (kernel.toString('latin1', 1, 4) !== 'ELF') throw new Error('the payload of the kernel is not an ELF file');
  return kernel;
}

/**
 * The modules of these names and what they depend on, for an initramfs: files below `lib/`, and `lib/order`, which names them in
 * the order in which they can be loaded. `folder` is that of the kernel's version.
 */
export async function moduleEntries(folder: string, names: string[]): Promise<CpioEntry[]> {
  const dependencies = parseDependencies(await readFile(join(folder, 'modules.dep'), 'utf8'));
  const ordered = new Map<string, string>();
  const add = (name: string): void => {
    const found = dependencies.get(name);
    if (found === undefined) throw new Error(`the kernel has no module ${name}`);
    if (ordered.has(name)) return;
    for (const needed of found.needs) add(needed);
    ordered.set(name, found.path);
  };
  for (const name of names) add(name);
  const files = [...ordered].map(async ([name, path]) => ({
    path: `lib/${name}.ko`,
    mode: cpioFile,
    data: await readFile(join(folder, path)),
  }));
  const order = Buffer.from([...ordered.keys(), ''].join('\n'));
  return [...(await Promise.all(files)), { path: 'lib/order', mode: cpioFile, data: order }];
}

/** `modules.dep`: a path and the paths that it needs, a line each. */
function parseDependencies(text: string): Map<string, { path: string; needs: string[] }> {
  const lines = text.split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [path = '', needs = ''] = line.split(':');
      return [moduleName(path), { path, needs: needs.split(' ').filter(Boolean).map(moduleName) }];
    }),
  );
}

function moduleName(path: string): string {
  return basename(path, '.ko').replaceAll('-', '_');
}
