// `npm run lab:xen -- COMMAND`: two real Xen hosts on this machine (docs/xen-lab.md).
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { interruption, aborted } from '../../interruption.ts';
import type { XenHost } from './host.ts';
import { bringUpXenLab, openXenLab, takeDownXenLab } from './lab.ts';
import { consolePath } from './machine.ts';
import { installNeeds, missingNeeds } from './needs.ts';
import { knownHostsPath } from './places.ts';

const usage = `usage: npm run lab:xen -- COMMAND
  up [--install]          a clean pair of hosts, xen-1 and xen-2, and an iSCSI target; --install gets missing packages first
  reset                   a clean pair again
  link [--round-trip-ms N] [--rate-mbps N] [--loss-percent N]
                          shapes the link between the hosts; without options it is as it comes
  ssh NAME [COMMAND ...]  a shell of that dom0, or one command
  console NAME            the end of what the host wrote to its console; --follow goes on
  down                    nothing but the logs is left
`;

async function main(): Promise<number> {
  const [command, ...args] = process.argv.slice(2);
  switch (command) {
    case 'up':
      return up(args);
    case 'reset':
      await timed('reset', async () => {
        const lab = await openXenLab();
        await lab.reset();
        lab.leave();
      });
      return 0;
    case 'link':
      return link(args);
    case 'ssh':
      return ssh(args);
    case 'console':
      return showConsole(args);
    case 'down':
      await takeDownXenLab();
      return 0;
    default:
      process.stderr.write(usage);
      return 2;
  }
}

async function up(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { install: { type: 'boolean' } } });
  if (values.install === true) await installNeeds();
  const missing = await missingNeeds();
  if (missing.length > 0) {
    process.stderr.write(`the lab needs ${missing.join('; ')}\nhint: as root, up --install installs packages\n`);
    return 1;
  }
  const signal = interruption();
  const done = timed('up', async () => {
    const lab = await bringUpXenLab(say);
    for (const { name, address } of lab.hosts) say(`${name} at ${address}`);
    say(`iSCSI target ${lab.target.name} at ${lab.target.portal}; this machine is ${lab.outsideAddress} for the hosts`);
    lab.leave();
  });
  const ended = await Promise.race([done.then(() => true), aborted(signal).then(() => false)]);
  if (ended) return 0;
  await takeDownXenLab();
  // What was being brought up has lost its machines.
  process.exit(130);
}

async function link(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      'round-trip-ms': { type: 'string' },
      'rate-mbps': { type: 'string' },
      'loss-percent': { type: 'string' },
    },
  });
  const lab = await openXenLab();
  await lab.setLink({
    ...given('roundTripMs', values['round-trip-ms']),
    ...given('rateMbps', values['rate-mbps']),
    ...given('lossPercent', values['loss-percent']),
  });
  lab.leave();
  return 0;
}

function given<Name extends string>(name: Name, text: string | undefined): Partial<Record<Name, number>> {
  if (text === undefined) return {};
  const value = Number(text);
  if (!(value >= 0)) throw new Error(`${text} is not a number from 0`);
  return { [name]: value } as Partial<Record<Name, number>>;
}

async function ssh([name, ...command]: string[]): Promise<number> {
  const { address, ssh: server } = await hostOf(name);
  const options = [
    'LogLevel=ERROR',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${knownHostsPath}`,
    // A host whose power is cut says nothing any more.
    'ConnectTimeout=60',
    'ServerAliveInterval=10',
  ];
  const args = ['-F', '/dev/null', '-i', server.privateKeyPath, ...options.flatMap((option) => ['-o', option])];
  const ran = await execa('ssh', [...args, `root@${address}`, ...command], { stdio: 'inherit', reject: false });
  return ran.exitCode ?? 255;
}

async function showConsole(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { follow: { type: 'boolean' } },
    allowPositionals: true,
  });
  const { machine } = await hostOf(positionals[0]);
  const follow = values.follow === true ? ['--follow=name'] : [];
  await execa('tail', ['--lines=50', ...follow, consolePath(machine)], { stdio: 'inherit', reject: false });
  return 0;
}

async function hostOf(name: string | undefined): Promise<XenHost> {
  const { hosts } = await openXenLab();
  const host = hosts.find((one) => one.name === name);
  if (host === undefined) throw new Error(`the hosts are ${hosts.map((one) => one.name).join(' and ')}`);
  return host;
}

async function timed(what: string, work: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await work();
  say(`${what} took ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
