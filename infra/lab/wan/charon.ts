import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { SealiftError } from '../../../domain/error.ts';
import { Vici } from '../../../transport/ipsec/vici.ts';
import { missingPrograms } from '../missing-programs.ts';
import type { Site } from './lab.ts';

const program = '/usr/sbin/charon-systemd';
const plugins = {
  first: ['random', 'nonce', 'pubkey', 'pkcs1', 'pkcs8', 'pem', 'openssl', 'sha1', 'sha2', 'hmac', 'kdf', 'aesni'],
  last: ['kernel-netlink', 'socket-default', 'vici'],
};
const startMs = 10_000;
const lookMs = 20;

/** Why no tunnel can be brought up between the sites of a lab; null when it can. */
export const charonMissing = missing();

/** The strongSwan of a site: it ends with whoever started it. */
export interface Charon {
  /** Its control socket. */
  vici: string;
  pid: number;
  /** What it has logged since its start. */
  log(): Promise<string>;
  kill(): Promise<void>;
  /** Starts it anew after `kill`: it knows nothing of what it was told before. */
  start(): Promise<void>;
}

/** Starts strongSwan's charon at a site, with its files in `folder`. */
export async function startCharon(site: Site, folder: string): Promise<Charon> {
  await mkdir(folder, { recursive: true });
  const vici = join(folder, 'charon.vici');
  const log = join(folder, 'charon.log');
  const settings = join(folder, 'strongswan.conf');
  await writeFile(settings, settingsOf({ vici, log, kernelEsp: await hasKernelEsp(site) }));
  let child: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    const [command, args] = site.within('env', `STRONGSWAN_CONF=${settings}`, program);
    child = spawn(command, args, { stdio: 'ignore' });
    const untilMs = performance.now() + startMs;
    while (!(await isListening(vici))) {
      if (hasEnded(child) || performance.now() > untilMs)
        throw new SealiftError('tunnel-unready', `strongSwan does not start at ${site.name}: see ${log}`);
      await sleep(lookMs);
    }
  };
  await start();
  return {
    vici,
    get pid() {
      return child?.pid ?? 0;
    },
    log: () => readFile(log, 'utf8'),
    kill: async () => {
      if (child === null || hasEnded(child)) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
    start,
  };
}

/** Whether the kernel does ESP. Where it does not, charon does it itself, which is far slower. */
async function hasKernelEsp({ address, within }: Site): Promise<boolean> {
  const one = ['src', address, 'dst', address, 'proto', 'esp', 'spi', '0x1'];
  const cipher = ['aead', 'rfc4106(gcm(aes))', `0x${'00'.repeat(36)}`, '128'];
  const made = await execa(...within('ip', 'xfrm', 'state', 'add', ...one, 'mode', 'tunnel', ...cipher), {
    reject: false,
  });
  if (made.failed) return false;
  await execa(...within('ip', 'xfrm', 'state', 'delete', ...one));
  return true;
}

function settingsOf({ vici, log, kernelEsp }: { vici: string; log: string; kernelEsp: boolean }): string {
  const load = [...plugins.first, ...(kernelEsp ? [] : ['kernel-libipsec']), ...plugins.last];
  return `charon-systemd {
  load = ${load.join(' ')}
  install_virtual_ip = no
  # A line that lives answers within a second.
  retransmit_timeout = 2
  retransmit_tries = 3
  plugins {
    vici {
      socket = unix://${vici}
    }
  }
  filelog {
    file {
      path = ${log}
      default = 1
      flush_line = yes
    }
  }
}
`;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function isListening(vici: string): Promise<boolean> {
  try {
    await Vici.with(vici, (charon) => charon.ask('version'));
    return true;
  } catch {
    return false;
  }
}

function missing(): string | null {
  const libraries = '/usr/lib/ipsec/plugins/libstrongswan';
  const packageOf = {
    [program]: 'charon-systemd',
    [`${libraries}-vici.so`]: 'strongswan-swanctl',
    [`${libraries}-openssl.so`]: 'libstrongswan-standard-plugins',
    [`${libraries}-kernel-libipsec.so`]: 'libcharon-extra-plugins',
  };
  const names = missingPrograms(packageOf).map(([, name]) => name);
  return names.length === 0 ? null : `strongSwan (packages ${names.join(', ')})`;
}
