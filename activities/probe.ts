import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import type { ProbeSpec } from '../domain/migration.ts';
import type { ReceiptBody } from '../domain/receipt.ts';
import { writesTo } from '../storage/write-stamp.ts';
import type { Domain, Toolstack } from '../xen/toolstack.ts';
import { saysOnConsole } from './console.ts';
import type { ConsoleLog } from './console.ts';

type Check = ReceiptBody['probe'][number];

interface Probed {
  vmName: string;
  vmUuid: string;
  diskPaths: string[];
  /** Has an entry for each network interface of dom0, the guest's ends of vifs among them. */
  netFolder: string;
  /** As long as they were before its start. */
  consoles: ConsoleLog[];
  /** The host file's named commands. */
  commands: Record<string, string[]>;
}

/**
 * Probes a started VM: its domain is there and keeps its domain id (so it is not restarting), and what `spec` asks for,
 * each tried until `spec.limitMs` is over or `signal` fires, all side by side. Checks that fail are reported, not thrown. What a
 * command wrote, and its arguments, stay on the host; other details are said by `plain`.
 */
export async function probe(
  toolstack: Toolstack,
  vm: Probed,
  spec: ProbeSpec,
  { plain, signal }: { plain: (text: string) => string; signal: AbortSignal },
): Promise<Check[]> {
  const deadline = performance.now() + spec.limitMs;
  const checks: [string, () => Promise<string>][] = [['domain', domainStays(toolstack, vm)]];
  if (spec.diskWrites) checks.push(['disk-writes', diskIsWritten(vm.diskPaths)]);
  if (spec.vifs === true) checks.push(['vifs', sendsByVif(toolstack, vm)]);
  if (spec.console !== undefined) checks.push([`console "${spec.console}"`, saysOnConsole(vm.consoles, spec.console)]);
  if (spec.ping !== undefined) checks.push([`ping ${spec.ping}`, ping(spec.ping)]);
  if (spec.tcp !== undefined) checks.push([`tcp ${spec.tcp.address}:${spec.tcp.port}`, tcp(spec.tcp)]);
  if (spec.command !== undefined) checks.push([`command ${spec.command}`, command(spec.command, vm)]);
  const found = await Promise.all(checks.map(([name, attempt]) => untilPassed(name, attempt, deadline, signal)));
  return found.map((check) => ({ ...check, detail: plain(check.detail).slice(0, 200) }));
}

async function untilPassed(
  check: string,
  attempt: () => Promise<string>,
  deadline: number,
  signal: AbortSignal,
): Promise<Check> {
  for (let pauseMs = 25; ; pauseMs = Math.min(pauseMs * 1.5, 200)) {
    try {
      return { check, passed: true, detail: await attempt() };
    } catch (error) {
      if (performance.now() > deadline || signal.aborted) {
        return { check, passed: false, detail: error instanceof Error ? error.message : 'failed' };
      }
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

/** Passes when two looks, a moment apart, find the same domain id alive. */
function domainStays(toolstack: Toolstack, vm: Probed): () => Promise<string> {
  let before: Domain | undefined;
  return async () => {
    const now = (await toolstack.list()).find((domain) => domain.uuid === vm.vmUuid);
    const seen = before;
    before = now;
    if (now === undefined || !['running', 'paused'].includes(now.state))
      throw new SealiftError('probe-failed', `no live domain ${vm.vmName}`);
    if (seen?.domid !== now.domid) throw new SealiftError('probe-failed', `domain ${vm.vmName} was seen once only`);
    return `domain ${now.domid} is ${now.state}`;
  };
}

/** Passes when one of the disks was modified since the first look. */
function diskIsWritten(paths: string[]): () => Promise<string> {
  const first = new Map<string, string>();
  return async () => {
    for (const path of paths) {
      const now = await lastWrite(path);
      const seen = first.get(path);
      if (seen === undefined) first.set(path, now);
      else if (seen !== now) return 'the guest writes to its disks';
    }
    throw new SealiftError('probe-failed', 'no write to any disk was seen');
  };
}

/** What is another after each write: the time of a file or device node, and what a device has written. */
async function lastWrite(path: string): Promise<string> {
  const status = await dom0().stat(path);
  if (status.kind !== 'block') return String(status.mtimeNs);
  return `${String(status.mtimeNs)} ${await writesTo(status.rdev)}`;
}

/** Passes when dom0 has got something from the guest: what it sends is what its vif's end in dom0 receives. */
function sendsByVif(toolstack: Toolstack, { vmName, vmUuid, netFolder }: Probed): () => Promise<string> {
  return async () => {
    const domain = (await toolstack.list()).find(({ uuid }) => uuid === vmUuid);
    if (domain === undefined) throw new SealiftError('probe-failed', `no live domain ${vmName}`);
    const counts = await dom0().readEach(join(netFolder, `vif${String(domain.domid)}.*/statistics/rx_packets`));
    const frames = [...counts.values()].reduce((sum, text) => sum + Number(text), 0);
    if (frames === 0) throw new SealiftError('probe-failed', `nothing came from its ${String(counts.size)} vifs`);
    return `${String(frames)} frames came from its vifs`;
  };
}

function ping(address: string): () => Promise<string> {
  return async () => {
    await run('ping', ['-c', '1', '-W', '2', '--', address], 5_000);
    return 'answers';
  };
}

function tcp(target: { address: string; port: number }): () => Promise<string> {
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: target.address, port: target.port, timeout: 3_000 });
      socket.once('connect', () => {
        socket.destroy();
        resolve('accepts connections');
      });
      socket.once('timeout', () => socket.destroy(new Error('no answer within 3 s')));
      socket.once('error', reject);
    });
}

function command(name: string, vm: Probed): () => Promise<string> {
  return async () => {
    const [file, ...args] = vm.commands[name] ?? [];
    if (file === undefined) throw new SealiftError('bad-usage', `no probe command "${name}" in the host's file`);
    const words = args.map((arg) => arg.replaceAll('{vm}', vm.vmName));
    await run(file, words, 30_000);
    return 'exit 0';
  };
}

/** Runs a program; what is thrown tells how it ended and nothing else: its arguments and output may hold anything. */
async function run(program: string, args: string[], limitMs: number): Promise<void> {
  // What it leaves in the background keeps nobody waiting.
  const words = ['sh', '-c', 'exec "$@" </dev/null >/dev/null 2>&1', 'sh', program, ...args] as const;
  const { ended, exitCode } = await dom0().run(words, { limitMs });
  if (ended === 'missing' || exitCode === 127) throw new SealiftError('probe-failed', 'could not be run');
  if (ended === 'limit') throw new SealiftError('probe-failed', 'timed out');
  if (exitCode === null) throw new SealiftError('probe-failed', 'ended by a signal');
  if (exitCode !== 0) throw new SealiftError('probe-failed', `exit ${String(exitCode)}`);
}
