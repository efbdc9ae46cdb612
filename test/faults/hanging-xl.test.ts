import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { clearFaults, setFault } from '../../infra/lab/lab-host.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { troubles, until } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { changeHostFile, migrate } from '../support/world.ts';

describe('an xl that hangs is reported, and the move goes on when it does not any more', () => {
  const world = useWorld();
  beforeAll(async () => {
    for (const at of [world.london, world.frankfurt])
      await changeHostFile(world, at, (file) => ({ ...file, xen: { ...file.xen, limit_seconds: 4 } }));
  });
  afterEach(() => {
    for (const { host } of world.up.hosts) clearFaults(host.lab.root);
  });

  test('at the survey of the destination', async () => {
    const vm = await world.makeVm('survey');
    setFault(world.frankfurt.host.lab.root, { hang: 'list' });
    await expect(world.sealift.plan({ vm: vm.name, from: 'lon-1', to: 'fra-1' })).rejects.toMatchObject({
      type: 'xl-hangs',
    });
    const move = await migrate(world, { vm: vm.name, from: 'lon-1' });
    await until(move, (at) => troubles(at).includes('xl list did not end'));
    clearFaults(world.frankfurt.host.lab.root);
    await move.result();
    await expectMoved(world, vm);
  });

  test('at the question about the line, which has its answer before the survey has', async () => {
    const vm = await world.makeVm('asked');
    setFault(world.frankfurt.host.lab.root, { refuse: 'list' });
    const move = await migrate(world, { vm: vm.name, from: 'lon-1' });
    await until(
      move,
      ({ pending }) =>
        pending.length === 1 && pending.every(({ name, failure }) => name === 'surveyDestination' && failure !== null),
    );
    clearFaults(world.frankfurt.host.lab.root);
    await move.result();
    await expectMoved(world, vm);
  });

  // A landing gave up after 10 s who asked it something, also while the question waited for its own dom0.
  test('at the question about the line, which waits for an answer', async () => {
    await changeHostFile(world, world.frankfurt, (file) => ({ ...file, xen: { ...file.xen, limit_seconds: 20 } }));
    const vm = await world.makeVm('slow');
    setFault(world.frankfurt.host.lab.root, { hang: 'list', hangMs: 11_000, times: 2 });
    await (await migrate(world, { vm: vm.name, from: 'lon-1' })).result();
    await expectMoved(world, vm);
    await changeHostFile(world, world.frankfurt, (file) => ({ ...file, xen: { ...file.xen, limit_seconds: 4 } }));
  });

  test('at the shutdown, which an abort ends with the VM running on', async () => {
    const vm = await world.makeVm('stop');
    setFault(world.london.host.lab.root, { hang: 'shutdown', vm: vm.name });
    // The hung order may have reached the guest: the abort gives it its time before it calls it running.
    const move = await migrate(world, { vm: vm.name, graceMs: 2_000 });
    await until(move, (at) => troubles(at).includes('xl shutdown did not end'));
    expect(await move.abort()).toMatchObject({ outcome: 'aborted' });
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    await expectUnmoved(world, vm);
    clearFaults(world.london.host.lab.root);
    await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
  });

  test('at the start', async () => {
    const vm = await world.makeVm('start');
    setFault(world.frankfurt.host.lab.root, { hang: 'create', vm: vm.name });
    const move = await migrate(world, { vm: vm.name });
    await until(move, (at) => troubles(at).includes('xl create did not end'));
    clearFaults(world.frankfurt.host.lab.root);
    await move.result();
    await expectMoved(world, vm);
  });
});
