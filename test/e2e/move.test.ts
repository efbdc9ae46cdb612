import { describe, expect, test } from '@jest/globals';
import { verifySignature } from '../../deed/identity.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { rebootLabHost } from '../../infra/lab/lab-host.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { dataDiskAt, MiB, migrate, quick, verdict, xl } from '../support/world.ts';

describe('a sealed move between two hosts', () => {
  const world = useWorld();

  test('moves a running VM, its records whole, and leaves the source fenced through a reboot', async () => {
    const vm = await world.makeVm('web-1', { diskBytes: [9 * MiB + 512, 8 * MiB] });
    const move = await migrate(world, { vm: 'web-1' });
    const receipt = await move.result();

    expect(receipt.body).toMatchObject({ vmName: 'web-1', token: 2, method: 'sealed' });
    expect(receipt.body.plainBytes).toBe(17 * MiB + 512);
    for (const side of ['source', 'destination'] as const) {
      expect(verifySignature(receipt.body[side].identity, receipt.body, receipt.signatures[side] ?? '')).toBe(true);
    }
    expect(receipt.body.probe.map(({ passed }) => passed)).toEqual([true, true]);
    expect((await xl(world.frankfurt, 'list')).stdout).toContain('web-1');
    expect((await xl(world.london, 'list')).stdout).not.toContain('web-1');
    expect(await verdict(world, vm, world.frankfurt)).toEqual([]);

    await rebootLabHost(world.london.host.lab.root);
    expect((await xl(world.london, 'list')).stdout).not.toContain('web-1');
    const { vms } = await world.sealift.vms();
    expect(vms.map(({ host, state, fenced, deed }) => ({ host, state, fenced, deed: deed?.state }))).toEqual([
      { host: 'fra-1', state: 'running', fenced: false, deed: 'holder' },
      { host: 'lon-1', state: 'stopped', fenced: true, deed: 'ceded' },
    ]);
    expect(world.observer.doubles).toEqual([]);
  }, 60_000);

  test('goes back by revert, leaving behind what was written since, and can be moved and finished after that', async () => {
    const vm = await world.makeVm('db-1');
    await (await migrate(world, { vm: 'db-1' })).result();
    const away = await dataDiskAt(world, world.frankfurt, vm);
    const reverting = await world.sealift.revert({ vm: 'db-1', confirm: 'db-1', timings: quick });
    const reverted = await reverting.result();
    expect(reverted).toMatchObject({ host: 'lon-1', started: true });
    expect((await xl(world.london, 'list')).stdout).toContain('db-1');
    expect(await verdict(world, vm, world.london)).toEqual([]);
    expect((await checkRecords(away)).problems).toEqual([]);

    await (await migrate(world, { vm: 'db-1' })).result();
    expect(await verdict(world, vm, world.frankfurt)).toEqual([]);
    const finished = await (await world.sealift.finish({ vm: 'db-1', by: 'test' })).result();
    const garbage = await world.sealift.garbage('lon-1');
    expect(garbage.map(({ id }) => id)).toEqual(expect.arrayContaining(finished.released));
    await world.sealift.removeGarbage({ host: 'lon-1', ids: finished.released, by: 'test' });
    expect((await world.sealift.garbage('lon-1')).filter(({ id }) => finished.released.includes(id))).toEqual([]);
  }, 90_000);

  test('cannot go back once a later move has begun, even one that was aborted: the plan warns of it', async () => {
    await world.makeVm('ns-1');
    const names = async (): Promise<string[]> =>
      (await world.sealift.plan({ vm: 'ns-1', to: 'lon-1' })).concerns.map(({ name }) => name);
    await (await migrate(world, { vm: 'ns-1' })).result();
    expect(await names()).toContain('ends-revert');
    const later = await migrate(world, { vm: 'ns-1', to: 'lon-1', cutover: 'approve' });
    await until(later, ({ status }) => status.waitsForPerson);
    await later.abort();
    await expect(later.result()).rejects.toMatchObject({ type: 'cancelled' });
    await expect(world.sealift.planRevert('ns-1')).rejects.toMatchObject({ type: 'revert-refused' });
    expect(await names()).not.toContain('ends-revert');
  }, 60_000);
});
