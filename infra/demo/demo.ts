import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { errorKind } from '../../domain/error-types.ts';
import { isSealiftError } from '../../domain/error.ts';
import { bringUp, wasUp } from '../embedded.ts';
import { aborted, interruption, unlessAborted } from '../interruption.ts';
import type { Embedded } from '../embedded.ts';
import { freePortOr } from '../free-port.ts';
import { standIns } from '../stand-in-host.ts';
import { makeDemoVm } from './demo-vm.ts';

const root = resolve(import.meta.dirname, '../..');
const vm = 'web-1';
const temporalPort = 7233;

/**
 * `npm start`: everything on this machine, and one move of a VM between two hosts on stand-in Xen. The first start makes the
 * VM and moves it; a later one finds it where it was. On a terminal it stays up until Ctrl-C, unless `--once` is given.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { once: { type: 'boolean' }, data: { type: 'string' } } });
  const stays = values.once !== true && process.stdout.isTTY;
  const folder = resolve(values.data ?? process.env.SEALIFT_DATA ?? join(root, '.sealift/demo'));
  const first = !wasUp(folder);
  say(`Sealift on this machine. Everything it writes lies in ${folder}`);
  const signal = interruption();
  const bringing = bringUp({
    folder,
    signal,
    hosts: standIns,
    port: await freePortOr(temporalPort, 1_000),
    say: (line) => {
      say(`  ${line}`);
    },
  });
  const up = await unlessAborted(signal, bringing);
  if (up === null) return 130;
  try {
    const code = await Promise.race([show(up, first), aborted(signal).then(() => 130)]);
    if (stays && code === 0) {
      say('Everything stays up until Ctrl-C.');
      await aborted(signal);
    }
    return code;
  } finally {
    say('Stopping.');
    await up.stop();
  }
}

async function show(up: Embedded, first: boolean): Promise<number> {
  const [london] = up.hosts;
  if (london === undefined) return 1;
  say(`  hosts ${standIns.map(({ name, site }) => `${name} (${site})`).join(' and ')}, on stand-in Xen`);
  say(`  Temporal's Web UI: ${up.server.uiUrl ?? 'off'}`);
  if (first) {
    say(`\nMaking the VM ${vm}: a disk of 512 MiB with an ext4 file system, and a small one that its guest writes to.`);
    await makeDemoVm(london.host, vm);
    for (const args of [
      ['vm', 'adopt', vm, '--host', london.host.name],
      ['migrate', vm, '--to', 'fra-1'],
    ]) {
      const code = await sealift(up, args);
      if (code !== 0) return code;
    }
  } else {
    const code = await sealift(up, ['vm', 'list']);
    if (code !== 0) return code;
  }
  for (const line of next(up)) say(line);
  return 0;
}

/** Runs the command line as a user would, and shows what was typed. */
async function sealift(up: Embedded, args: string[]): Promise<number> {
  say(`\n$ ./sealift ${args.join(' ')}`);
  const run = await execa(process.execPath, [join(root, 'cli/sealift.ts'), ...args], {
    stdio: 'inherit',
    reject: false,
    env: { TEMPORAL_ADDRESS: up.server.address },
  });
  return run.exitCode ?? 1;
}

function next(up: Embedded): string[] {
  const standard = up.server.address === `127.0.0.1:${String(temporalPort)}`;
  return [
    '',
    'To try next, in another terminal:',
    ...(standard ? [] : [`  export TEMPORAL_ADDRESS=${up.server.address}`]),
    '  ./sealift vm list',
    `  ./sealift show ${vm}`,
    `  ./sealift receipt show ${vm}`,
    `  ./sealift revert ${vm} --confirm ${vm}`,
    '  ./sealift help',
    ...(up.server.uiUrl === null ? [] : [`All of it in Temporal's Web UI: ${workflowsOf(up.server.uiUrl)}`]),
    '',
  ];
}

function workflowsOf(uiUrl: string): string {
  return `${uiUrl}/namespaces/default/workflows?query=${encodeURIComponent(`SealiftVm = "${vm}"`)}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    if (!isSealiftError(error)) throw error;
    process.stderr.write(
      `sealift: ${error.message}  [${error.type}]\n${error.hint === undefined ? '' : `hint: ${error.hint}\n`}`,
    );
    process.exitCode = errorKind(error.type).exitCode ?? 1;
  },
);
