import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SealiftError } from '../../domain/error.ts';
import { aborted, interruption } from '../interruption.ts';
import type { XenHost } from '../lab/xen/host.ts';
import { startGuest } from '../lab/xen/lab-guest.ts';
import { bringUpXenLab, takeDownXenLab } from '../lab/xen/lab.ts';
import { missingNeeds } from '../lab/xen/needs.ts';
import { poolPath } from '../lab/xen/host-worker.ts';
import { startSealiftOnXen } from '../lab/xen/sealift-on-xen.ts';
import { endAs, say, sayNext, sealift } from './terminal.ts';

const cacheFolder = join(import.meta.dirname, '../../.sealift/cache');
const vm = 'web-1';
const endMs = 20_000;

/**
 * `npm run demo:xen`: the demonstration of `npm start` on two hosts of real Xen, emulated on this machine: a guest with a kernel of its
 * own is moved by the workers in their dom0s. On a terminal it stays up until Ctrl-C, unless `--once` is given.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { once: { type: 'boolean' } } });
  const missing = await missingNeeds();
  if (missing.length > 0) {
    throw new SealiftError('bad-config', `the laboratory of Xen hosts needs ${missing.join('; ')}`, {
      hint: 'npm run lab:xen -- up --install gets packages that are missing',
    });
  }
  const signal = interruption();
  const ended = aborted(signal).then(() => 130);
  const close: (() => Promise<void>)[] = [];
  const showing = show(close);
  try {
    const code = await Promise.race([showing, ended]);
    if (values.once !== true && process.stdout.isTTY && code === 0) {
      say('Everything stays up until Ctrl-C.');
      await ended;
    }
    return code;
  } finally {
    say('Stopping.');
    for (const act of close.reverse()) await act();
    if (signal.aborted) {
      // What is still coming up has lost its hosts, and ends what it has started; an image in the making is not waited for.
      await Promise.race([showing.catch(() => undefined), sleep(endMs)]);
      process.exit(130);
    }
  }
}

/** `close` is given what has to be ended, as it comes up. */
async function show(close: (() => Promise<void>)[]): Promise<number> {
  say('Two hosts of real Xen on this machine, emulated: it takes minutes, the first time some more.');
  close.push(takeDownXenLab);
  const lab = await bringUpXenLab((line) => {
    say(`  ${line}`);
  });
  close.push(async () => lab.leave());
  const on = await startSealiftOnXen(lab, { cacheFolder, withUi: true });
  close.push(() => on.close());
  const [one, two] = lab.hosts;
  say(`  hosts ${one.name} and ${two.name}, each with Sealift's worker in its dom0`);
  say(`  Temporal's Web UI: ${on.server.uiUrl ?? 'off'}`);
  say(`\nMaking the VM ${vm} on ${one.name}: a PVH guest that counts its boots on an ext4 disk.`);
  const disk = `${poolPath}/${vm}.raw`;
  await one.run(['truncate', '--size', '16M', disk]);
  await one.run(['mkfs.ext4', '-q', disk]);
  await startGuest(one, { name: vm, type: 'pvh', disk });
  for (const args of [
    ['vm', 'adopt', vm, '--host', one.name],
    ['migrate', vm, '--to', two.name],
  ]) {
    const code = await sealift(on.server, args);
    if (code !== 0) return code;
  }
  for (const host of lab.hosts) await sayDomains(host);
  sayNext(on.server, vm, [
    `npm run lab:xen -- ssh ${two.name} xl list`,
    `npm run lab:xen -- ssh ${two.name} tail /var/log/xen/guest-${vm}.log`,
  ]);
  return 0;
}

async function sayDomains(host: XenHost): Promise<void> {
  say(`\n$ npm run lab:xen -- ssh ${host.name} xl list`);
  say((await host.run(['xl', 'list'])).trimEnd());
}

endAs(main());
