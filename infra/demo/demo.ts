import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bringUp, wasUp } from '../embedded.ts';
import { aborted, interruption, unlessAborted } from '../interruption.ts';
import type { Embedded } from '../embedded.ts';
import { freePortOr } from '../free-port.ts';
import { standIns } from '../stand-in-host.ts';
import { makeDemoVm } from './demo-vm.ts';
import { endAs, say, sayNext, sealift, temporalPort } from './terminal.ts';

const root = resolve(import.meta.dirname, '../..');
const vm = 'web-1';

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
      const code = await sealift(up.server, args);
      if (code !== 0) return code;
    }
  } else {
    const code = await sealift(up.server, ['vm', 'list']);
    if (code !== 0) return code;
  }
  sayNext(up.server, vm);
  return 0;
}

endAs(main());
