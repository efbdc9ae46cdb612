import { expect, test } from '@jest/globals';
import type { MoveHandle } from '../../client/index.ts';
import { troubles, until } from '../support/until.ts';
import { moveLimitMs, onXen } from './two-hosts.ts';

const MiB = 1024 * 1024;

onXen('faults on real Xen hosts', (xen) => {
  /** A move of a guest of that name, some of whose chunks have arrived. */
  async function underWay(name: string): Promise<MoveHandle> {
    await xen.onRawFile(name, 'pvh', { noiseMib: 24 });
    const ask = { vm: name, from: 'xen-1', to: 'xen-2', limitBytesPerSecond: MiB };
    const move = await xen.on.sealift.migrate(ask);
    await until(move, ({ verifiedBytes }) => verifiedBytes > 0);
    return move;
  }

  async function arrives(move: MoveHandle, name: string): Promise<void> {
    expect((await move.result()).body).toMatchObject({ vmName: name, destination: { name: 'xen-2' } });
    await xen.runsOnlyOn(xen.two, name);
    await xen.two.run(['xl', 'destroy', name]);
  }

  test(
    'the link is gone as it copies: the move waits, and goes on when it is back',
    async () => {
      const move = await underWay('line-1');
      await xen.lab.setLink({ lossPercent: 100 });
      await until(move, (at) => troubles(at).trim() !== '').finally(() => xen.lab.setLink({}));
      await arrives(move, 'line-1');
    },
    moveLimitMs,
  );

  test(
    'the destination loses its power as it copies: the move goes on when it is back',
    async () => {
      const move = await underWay('power-1');
      await xen.two.powerCut();
      await xen.two.powerOn();
      await xen.on.startWorker(xen.two);
      await arrives(move, 'power-1');
    },
    moveLimitMs,
  );

  test(
    "the destination's xenstored hangs, and so every xl: the guest starts there when it goes on",
    async () => {
      const move = await underWay('store-1');
      await xen.two.run(['pkill', '-STOP', 'xenstored']);
      const hung = until(move, (at) => troubles(at).includes('did not end within'));
      await hung.finally(() => xen.two.run(['pkill', '-CONT', 'xenstored']));
      await arrives(move, 'store-1');
    },
    2 * moveLimitMs,
  );

  test(
    "the destination's volume group is full: the move is refused, and the guest runs on",
    async () => {
      await xen.onRawFile('full-1', 'pvh');
      await xen.two.run(['lvcreate', '--quiet', '--yes', '--extents', '100%FREE', '--name', 'rest', 'lab']);
      const move = await xen.on.sealift.migrate({ vm: 'full-1', from: 'xen-1', to: 'xen-2', pool: 'volumes' });
      await expect(move.result()).rejects.toMatchObject({ type: 'no-space' });
      await xen.runsOnlyOn(xen.one, 'full-1');
    },
    moveLimitMs,
  );
});
