import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { missingPrograms } from '../missing-programs.ts';
import { hostNames } from './places.ts';
import { memoryMib } from './machine.ts';

/** Each program that the lab uses, and Debian's package for it. */
const packageOf = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  // firmware, which QEMU's package only recommends
  '/usr/share/seabios/bios-256k.bin': 'seabios',
  '/usr/lib/ipxe/qemu/efi-virtio.rom': 'ipxe-qemu',
  mmdebstrap: 'mmdebstrap',
  '/usr/share/keyrings/debian-archive-keyring.gpg': 'debian-archive-keyring',
  mke2fs: 'e2fsprogs',
  xz: 'xz-utils',
  setpriv: 'util-linux',
  ip: 'iproute2',
  tgtd: 'tgt',
  ssh: 'openssh-client',
};
/** What QEMU takes besides the memory of a machine: code that it has translated, and itself. */
const besidesMib = 640;
const installLimitMs = 600_000;

/** What keeps this machine from running the lab, a sentence each; none when it can. */
export async function missingNeeds(): Promise<string[]> {
  const missing = [];
  if (process.platform !== 'linux' || process.arch !== 'x64') missing.push('Linux on x86-64');
  if (process.getuid?.() !== 0) missing.push('root, for bridges and for building the image');
  const packages = missingPackages();
  if (packages.length > 0) missing.push(`packages ${packages.join(', ')}`);
  if (!existsSync('/dev/net/tun')) missing.push('/dev/net/tun');
  const needed = hostNames.length * (memoryMib + besidesMib);
  const available = await availableMib();
  if (available < needed) missing.push(`${needed} MiB of free memory (there are ${available})`);
  return missing;
}

/** Installs the packages that are missing, by apt-get. */
export async function installNeeds(): Promise<void> {
  const packages = missingPackages();
  if (packages.length === 0) return;
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: 'inherit', timeout: installLimitMs } as const;
  await execa('apt-get', ['update', '-qq'], options);
  await execa('apt-get', ['install', '-qq', '--no-install-recommends', ...packages], options);
}

function missingPackages(): string[] {
  return missingPrograms(packageOf).map(([, name]) => name);
}

async function availableMib(): Promise<number> {
  const found = /^MemAvailable: *(\d+) kB$/m.exec(await readFile('/proc/meminfo', 'utf8'));
  return Math.floor(Number(found?.[1] ?? 0) / 1024);
}
