import { beforeAll, expect, test } from '@jest/globals';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import type { XenLab } from '../../infra/lab/xen/lab.ts';
import { able } from './able.ts';
import { atEnd } from './at-end.ts';
import { said, startGuest } from './guest.ts';
import { poolPath, startSealiftOnXen } from './sealift-on-xen.ts';
import type { SealiftOnXen } from './sealift-on-xen.ts';

able('a sealed move between real Xen hosts', () => {
  let lab: XenLab;
  let one: XenHost;
  let two: XenHost;
  let on: SealiftOnXen;
  beforeAll(async () => {
    lab = await bringUpXenLab();
    atEnd(() => lab.down());
    [one, two] = lab.hosts;
    on = await startSealiftOnXen(lab);
    atEnd(() => on.close());
  }, 900_000);

  test('a PVH guest on a raw file goes on at the destination, and its source copy does not start', async () => {
    const disk = `${poolPath}/web-1.raw`;
    await one.run(['truncate', '--size', '16M', disk]);
    await one.run(['mkfs.ext4', '-q', disk]);
    await startGuest(one, { name: 'web-1', type: 'pvh', disk });
    await on.sealift.adopt({ vm: 'web-1', host: 'xen-1', by: 'test' });

    const move = await on.sealift.migrate({ vm: 'web-1', from: 'xen-1', to: 'xen-2' });
    const { body } = await move.result();

    expect(body).toMatchObject({ vmName: 'web-1', destination: { name: 'xen-2' } });
    expect(await two.run(['xl', 'list'])).toMatch(/^web-1 /m);
    expect(await guestBeats(two, 'web-1', 3)).toBeGreaterThanOrEqual(3);
    const started = await one.exec(['xl', 'create', '-q', '/etc/xen/web-1.cfg']);
    expect(started.exitCode).not.toBe(0);
    expect(await one.run(['xl', 'list'])).not.toMatch(/^web-1 /m);
    expect(await one.run(['lsattr', disk])).toMatch(/^-+i/);
  }, 900_000);
});

/** Waits until the guest has counted so far, and gives its last count. */
async function guestBeats(host: XenHost, name: string, least: number): Promise<number> {
  const text = await said(host, name, `guest: beat ${String(least)}`);
  return Number([...text.matchAll(/guest: beat (\d+)/g)].at(-1)?.[1]);
}
