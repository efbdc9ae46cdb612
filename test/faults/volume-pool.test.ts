import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { rm } from 'node:fs/promises';
import { makeWorld, MiB, migrate, quick, verdict, xl } from '../support/world.ts';
import type { World } from '../support/world.ts';
import { StandInVolumes } from '../support/volumes.ts';

let volumes: StandInVolumes;
let world: World;
beforeAll(async () => {
  volumes = new StandInVolumes();
  world = await makeWorld({ settings: { pool: [{ name: 'volumes', kind: 'lvm', group: 'vg0' }] } });
}, 240_000);
afterAll(async () => {
  await world.close();
  await rm(volumes.folder, { recursive: true });
}, 60_000);

/** Name and number of tags of each volume, as LVM tells them. */
async function listed(): Promise<[string, number][]> {
  const { stdout } = await execa('lvm', ['lvs', '--select', 'vg_name=vg0']);
  const rows = (JSON.parse(stdout) as { report: [{ lv: { lv_name: string; lv_tags: string }[] }] }).report[0].lv;
  return rows.map((row) => [row.lv_name, row.lv_tags === '' ? 0 : row.lv_tags.split(',').length]);
}

describe('a pool of logical volumes', () => {
  test('takes a VM, which runs on its volumes, is fenced there when it goes back, and is collected', async () => {
    // One that fills no extent, one that does.
    const vm = await world.makeVm('web-1', { diskBytes: [5 * MiB + 512, 4 * MiB] });
    const plan = await world.sealift.plan({ vm: 'web-1', from: 'lon-1', to: 'fra-1' });
    expect(plan.concerns.filter(({ severity }) => severity === 'refuses')).toEqual([]);
    await (await migrate(world, { vm: 'web-1' })).result();
    expect((await xl(world.frankfurt, 'domid', 'web-1')).exitCode).toBe(0);
    const names = [expect.stringMatching(/^vm-web-1\..*\.xvda$/), expect.stringMatching(/^vm-web-1\..*\.xvdb$/)];
    expect(await listed()).toEqual(names.map((name: unknown) => [name, 0]));
    expect(await verdict(world, vm, world.frankfurt)).toEqual([]);

    await (await world.sealift.revert({ vm: 'web-1', confirm: 'web-1', timings: quick })).result();
    expect((await xl(world.london, 'domid', 'web-1')).exitCode).toBe(0);
    expect(await listed()).toEqual(names.map(() => [expect.stringMatching(/^sealift-/), 1]));
    expect(await verdict(world, vm, world.london)).toEqual([]);

    const garbage = (await world.sealift.garbage('fra-1')).filter(({ kind }) => kind === 'returned-copy');
    expect(garbage).toMatchObject([{ vmName: 'web-1', bytes: 12 * MiB }]);
    await world.sealift.removeGarbage({ host: 'fra-1', ids: garbage.map(({ id }) => id), by: 'test' });
    expect(await listed()).toEqual([]);
  }, 600_000);

  test('that is too small refuses the plan', async () => {
    await world.makeVm('large', { diskBytes: [62 * MiB, 4 * MiB], start: false });
    const plan = await world.sealift.plan({ vm: 'large', from: 'lon-1', to: 'fra-1' });
    expect(plan.concerns).toContainEqual(
      expect.objectContaining({
        name: 'no-space',
        severity: 'refuses',
        text: expect.stringContaining('68 MiB are needed'),
      }),
    );
  }, 240_000);
});
