import { existsSync } from 'node:fs';
import { copyFile, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { cached } from '../cached.ts';
import { cpioFolder, cpioProgram, makeCpio } from './cpio.ts';
import { extractKernel, moduleEntries } from './kernel.ts';

/** What Debian gives: a root file system for dom0, its kernel and Xen, and the Debian part of the two initramfs. */
export interface Base {
  /** ext4 without a partition table. */
  rootPath: string;
  xenPath: string;
  kernelPath: string;
  /** busybox and modules for dom0's initramfs, and for the guests'. */
  bootCpioPath: string;
  guestCpioPath: string;
}

const suite = 'bookworm';
const xenVersion = '4.17';
/** Needed in dom0: Xen, SSH, LVM, iSCSI with reservations, IPsec, and what shows what crosses. No systemd or udev runs there. */
const packages = [
  'kmod linux-image-amd64 busybox-static e2fsprogs procps sudo iproute2 iputils-ping bridge-utils libstdc++6',
  `xen-hypervisor-${xenVersion}-amd64 xen-utils-${xenVersion} xen-utils-common xenstore-utils`,
  'openssh-server openssh-client lvm2 thin-provisioning-tools open-iscsi sg3-utils',
  'strongswan-swanctl charon-systemd libstrongswan-standard-plugins openssl nftables tcpdump',
].flatMap((line) => line.split(' '));
/** Drivers that no host of the lab has a use for, and what would make an initramfs that nobody boots. */
const left = [
  ...['man', 'locale', 'doc'].map((name) => `/usr/share/${name}/*`),
  ...['sound', 'drivers/gpu', 'drivers/media', 'drivers/infiniband', 'drivers/staging', 'drivers/iio', 'drivers/hid'],
  ...[
    'drivers/input',
    'drivers/usb',
    'drivers/mmc',
    'drivers/mtd',
    'drivers/comedi',
    'drivers/bluetooth',
    'drivers/hwmon',
  ],
  ...['drivers/video', 'drivers/isdn', 'drivers/thunderbolt', 'drivers/net/wireless', 'drivers/net/ethernet'],
  ...['drivers/net/usb', 'drivers/net/can', 'net/bluetooth', 'net/mac80211', 'net/wireless', 'net/can'],
  '/etc/kernel/postinst.d/initramfs-tools',
].map((path) => (path.startsWith('/') ? path : `/lib/modules/*/kernel/${path}/*`));
const bootModules = ['virtio_pci', 'virtio_blk', 'virtio_net', 'crc32c_generic', 'ext4'];
const guestModules = ['crc32c_generic', 'ext4', 'xen_blkfront', 'xen_netfront'];
const rootBytes = 4 * 1024 ** 3;
const limitMs = 15 * 60_000;

/** Builds it with mmdebstrap, or takes it from the cache. Needs root, and a mirror of Debian. */
export async function debianBase(cacheFolder: string, say: (line: string) => void): Promise<Base> {
  const recipe = JSON.stringify([bootstrap(''), bootModules, guestModules, rootBytes]);
  const folder = await cached(cacheFolder, 'base', [recipe], async (into) => {
    say(`building the image of dom0: Debian ${suite}, Xen ${xenVersion} …`);
    const root = join(into, 'root');
    await execa(...confined(bootstrap(root)), { timeout: limitMs, stdin: 'ignore' });
    await takeParts(root, into);
    await rm(root, { recursive: true });
  });
  const at = (name: string): string => join(folder, name);
  return {
    rootPath: at('root.ext4'),
    xenPath: at('xen'),
    kernelPath: at('vmlinux'),
    bootCpioPath: at('boot.cpio'),
    guestCpioPath: at('guest.cpio'),
  };
}

function bootstrap(root: string): string[] {
  return [
    'mmdebstrap',
    '--mode=root',
    '--variant=minbase',
    '--quiet',
    `--include=${packages.join(',')}`,
    '--aptopt=Apt::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    ...left.map((path) => `--dpkgopt=path-exclude=${path}`),
    suite,
    root,
    ...mirrors(),
  ];
}

/** This machine's own sources where it is a Debian of the same suite: its mirror is the one that it reaches. */
function mirrors(): string[] {
  const own = '/etc/apt/sources.list.d/debian.sources';
  if (existsSync(own)) return [own];
  return [
    `deb http://deb.debian.org/debian ${suite} main`,
    `deb http://deb.debian.org/debian-security ${suite}-security main`,
  ];
}

/** The command with all that it starts dies with this process, however that ends. */
function confined(command: string[]): [string, string[]] {
  const namespace = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
  return ['setpriv', ['--pdeathsig', 'KILL', '--', ...namespace, '--', ...command]];
}

async function takeParts(root: string, into: string): Promise<void> {
  const versions = await readdir(join(root, 'lib/modules'));
  const [version] = versions;
  if (version === undefined) throw new Error('the image has no kernel');
  const modules = join(root, 'lib/modules', version);
  await writeFile(join(into, 'xen'), gunzipSync(await readFile(join(root, `boot/xen-${xenVersion}-amd64.gz`))));
  await writeFile(join(into, 'vmlinux'), await extractKernel(await readFile(join(root, `boot/vmlinuz-${version}`))));
  const busybox = await readFile(join(root, 'bin/busybox'));
  const common = [
    ...['bin', 'dev', 'proc', 'sys', 'root', 'mnt', 'sbin', 'lib'].map((path) => ({ path, mode: cpioFolder })),
    { path: 'bin/busybox', mode: cpioProgram, data: busybox },
  ];
  await writeFile(join(into, 'boot.cpio'), makeCpio([...common, ...(await moduleEntries(modules, bootModules))]));
  await writeFile(join(into, 'guest.cpio'), makeCpio([...common, ...(await moduleEntries(modules, guestModules))]));
  await copyFile(join(root, 'bin/busybox'), join(root, 'usr/local/sbin/init'));
  await rm(join(root, 'boot'), { recursive: true });
  await rm(join(root, 'var/lib/apt/lists'), { recursive: true });
  const image = join(into, 'root.ext4');
  await writeFile(image, '');
  await truncate(image, rootBytes);
  await execa('mke2fs', ['-q', '-t', 'ext4', '-J', 'size=16', '-m', '0', '-E', 'nodiscard', '-d', root, image]);
}
