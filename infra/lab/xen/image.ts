import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { debianBase } from './base.ts';
import { cached } from '../cached.ts';
import { cpioFile, cpioFolder, cpioProgram, makeCpio } from './cpio.ts';
import type { CpioEntry } from './cpio.ts';
import { packFolder } from './disk-image.ts';

/** What a host boots from. All of it is read only, and hosts share it. */
export interface Image {
  rootPath: string;
  xenPath: string;
  kernelPath: string;
  initramfsPath: string;
  /** Mounted at /opt/lab: the guests' kernel and initramfs. */
  toolsPath: string;
  /** To log in to dom0 as root, and the public key that its server shows: type and base64. */
  privateKeyPath: string;
  hostKey: string;
}

const own = import.meta.dirname;
const toolsBytes = 128 * 1024 ** 2;

/** Debian's part, and on it the lab's own files, which take a second to pack: from the cache where nothing has changed. */
export async function makeImage(cacheFolder: string, say: (line: string) => void): Promise<Image> {
  const base = await debianBase(cacheFolder, say);
  const keys = await ensureKeys(join(cacheFolder, 'keys'));
  const boot = makeCpio([await file(join(own, 'boot/init'), 'init'), ...(await overlay(keys))]);
  const guest = makeCpio([
    await file(join(own, 'guest/init'), 'init'),
    ...(await Promise.all(['poweroff', 'reboot'].map((name) => file(join(own, 'guest', name), `sbin/${name}`)))),
  ]);
  const folder = await cached(cacheFolder, 'image', [base.rootPath, boot, guest], async (into) => {
    await writeFile(join(into, 'initramfs'), Buffer.concat([await readFile(base.bootCpioPath), boot]));
    const tools = join(into, 'tools');
    await mkdir(tools);
    await copyFile(base.kernelPath, join(tools, 'vmlinux'));
    await writeFile(join(tools, 'guest-initramfs'), Buffer.concat([await readFile(base.guestCpioPath), guest]));
    await packFolder(tools, join(into, 'tools.ext4'), toolsBytes);
  });
  return {
    rootPath: base.rootPath,
    xenPath: base.xenPath,
    kernelPath: base.kernelPath,
    initramfsPath: join(folder, 'initramfs'),
    toolsPath: join(folder, 'tools.ext4'),
    privateKeyPath: keys.client,
    hostKey: (await readFile(`${keys.host}.pub`, 'utf8')).split(' ').slice(0, 2).join(' '),
  };
}

interface Keys {
  client: string;
  host: string;
}

async function ensureKeys(folder: string): Promise<Keys> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const keys = { client: join(folder, 'client'), host: join(folder, 'host') };
  for (const [name, path] of Object.entries(keys)) {
    if (existsSync(`${path}.pub`)) continue;
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `lab-${name}`, '-f', path], { input: 'y\n' });
  }
  return keys;
}

/** What the initramfs copies onto the root file system of dom0 at each boot. */
async function overlay(keys: Keys): Promise<CpioEntry[]> {
  const files = await Promise.all(
    (await readdir(join(own, 'dom0'), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(own, 'dom0').length + 1))
      .sort()
      .map((path) => file(join(own, 'dom0', path), `overlay/${path}`)),
  );
  const secret = async (from: string, path: string): Promise<CpioEntry> => ({
    path: `overlay/${path}`,
    mode: 0o100600,
    data: await readFile(from),
  });
  const entries = [
    ...files,
    await secret(keys.host, 'etc/ssh/ssh_host_ed25519_key'),
    await secret(`${keys.host}.pub`, 'etc/ssh/ssh_host_ed25519_key.pub'),
    await secret(`${keys.client}.pub`, 'root/.ssh/authorized_keys'),
    await secret(keys.client, 'root/.ssh/id_ed25519'),
    {
      path: 'overlay/root/.ssh/known_hosts',
      mode: cpioFile,
      data: Buffer.from(`* ${await readFile(`${keys.host}.pub`, 'utf8')}`),
    },
  ];
  return [...folders(entries), ...entries];
}

/** Entries for all folders above those entries. */
function folders(entries: CpioEntry[]): CpioEntry[] {
  const paths = new Set<string>();
  for (const { path } of entries) {
    for (let at = dirname(path); at !== '.'; at = dirname(at)) paths.add(at);
  }
  const mode = (path: string): number => (path.endsWith('/.ssh') || path.endsWith('/root') ? 0o040700 : cpioFolder);
  return [...paths].sort().map((path) => ({ path, mode: mode(path) }));
}

async function file(from: string, path: string): Promise<CpioEntry> {
  const isProgram = ((await stat(from)).mode & 0o111) !== 0;
  return { path, mode: isProgram ? cpioProgram : cpioFile, data: await readFile(from) };
}
