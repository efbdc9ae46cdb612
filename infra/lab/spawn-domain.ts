import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from './fs.ts';
import type { Socket } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LabPlaces } from './places.ts';
import { XlFailure } from './xl-failure.ts';

/** What a domain tells the one that builds it: its disks are open, or which one could not be opened. */
export type DomainAnswer =
  { ready: true } | { ready: false; index: number; code: string } | { ready: false; why: string };

export interface BuiltDomain {
  answer: DomainAnswer;
  /** Ends the building: the guest starts, or stays paused. The domain goes on without its builder. */
  release(paused: boolean): Promise<void>;
}

/** The rights that let root pass by permission bits and the immutable flag, by their bit: capabilities(7). */
const droppedRights = { dac_override: 1, dac_read_search: 2, fowner: 3, linux_immutable: 9 } as const;

/** Which of the rights to pass by file permissions a process has; `self` is this one. */
export function rightsOverPermissions(pid: number | 'self'): string[] {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  const effective = BigInt(`0x${line?.[1] ?? '0'}`);
  return Object.entries(droppedRights).flatMap(([name, bit]) => ((effective >> BigInt(bit)) & 1n ? [name] : []));
}

/**
 * Starts a domain's process in a session of its own and waits until it has opened its disks. It cannot pass by file
 * permissions even as root, as no guest can pass by what the host's storage refuses.
 *
 * child_process and not execa: this is in every `xl create`, and execa takes longer to load than the domain to start.
 */
export async function spawnDomain(places: LabPlaces, name: string, specFile: string): Promise<BuiltDomain> {
  mkdirSync(places.consoleFolder, { recursive: true });
  const self = fileURLToPath(import.meta.url);
  const domainFile = join(self, `../domain${extname(self)}`);
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', domainFile, specFile];
  const [command = '', ...args] = rightsOverPermissions('self').length > 0 ? [...withoutRights(), ...argv] : argv;
  const console = openSync(join(places.consoleFolder, `guest-${name}.log`), 'a');
  const domain = spawn(command, args, {
    detached: true,
    stdio: ['ignore', console, console, 'pipe'],
    env: guestEnv(places),
  });
  closeSync(console);
  domain.unref();
  const channel = domain.stdio[3] as Socket;
  // The domain may be dead already; whether it is, is asked of the process and not of the channel.
  channel.on('error', () => undefined);
  const answer = await firstAnswer(domain, channel);
  const release = (paused: boolean): Promise<void> =>
    new Promise((resolve) => {
      channel.once('close', resolve);
      channel.end(paused ? 'paused' : 'go', () => channel.destroy());
    });
  return { answer, release };
}

function withoutRights(): string[] {
  const places = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/sbin/setpriv'];
  const setpriv = places.find((path) => existsSync(path));
  if (setpriv === undefined)
    throw new XlFailure(
      3,
      'stand-in: run as root, but setpriv (package util-linux) is not there to take rights from the domain',
    );
  const drops = Object.keys(droppedRights)
    .map((name) => `-${name}`)
    .join(',');
  return [setpriv, '--bounding-set', drops, '--inh-caps', drops, '--ambient-caps', '-all', '--'];
}

/** The guest sees nothing of its builder's environment but where its host is. */
function guestEnv(places: LabPlaces): Record<string, string> {
  const kept = ['PATH', 'SEALIFT_LAB_OBSERVER', 'SEALIFT_NODE', 'NODE_COMPILE_CACHE'];
  const env = kept.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]] as const]));
  return { ...Object.fromEntries(env), SEALIFT_LAB_ROOT: places.root };
}

function firstAnswer(domain: ChildProcess, channel: Socket): Promise<DomainAnswer> {
  return new Promise((resolve) => {
    channel.setEncoding('utf8');
    let text = '';
    channel.on('data', (part: string) => {
      text += part;
      if (text.endsWith('\n')) resolve(JSON.parse(text) as DomainAnswer);
    });
    channel.once('end', () => {
      resolve({ ready: false, why: 'the domain ended before its disks were open; see its console' });
    });
    domain.once('error', (error) => {
      resolve({ ready: false, why: error.message });
    });
  });
}
