import { describe, expect, test } from '@jest/globals';
import { sealift } from '../support/command.ts';
import { expectMoved } from '../support/expect-moved.ts';
import { useWorld } from '../support/use-world.ts';

describe('the command line asks hosts on a live server', () => {
  const world = useWorld();

  const run = (...args: string[]) => sealift(world, ...args);

  test('for themselves and for their VMs', async () => {
    const vm = await world.makeVm('web-1', { adopt: false });
    const { json: hosts } = await run('host', 'list', '--json');
    expect(hosts).toMatchObject([
      {
        hosts: expect.arrayContaining([
          expect.objectContaining({ name: 'lon-1', away: false }),
          expect.objectContaining({ name: 'fra-1', away: false }),
        ]),
      },
    ]);
    expect(await run('host', 'show', 'fra-1', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ name: 'fra-1', card: { identity: world.frankfurt.host.identity, site: 'frankfurt', peers: ['lon-1'] } }],
    });
    expect(await run('host', 'show', 'fra-9', '--json')).toMatchObject({
      exitCode: 3,
      json: [{ error: { type: 'unknown-host' } }],
    });

    const before = await run('vm', 'list', '--json');
    expect(before.json).toMatchObject([{ vms: [{ vmName: 'web-1', host: 'lon-1', state: 'running', deed: null }] }]);
    const nobody = await run('vm', 'adopt', 'web-9', '--host', 'lon-1', '--json');
    expect(nobody).toMatchObject({ exitCode: 3, json: [{ error: { type: 'unknown-vm' } }] });
    const adopted = await run('vm', 'adopt', 'web-1', '--host', 'lon-1', '--by', 'ops', '--json');
    expect(adopted).toMatchObject({ exitCode: 0, json: [{ vmUuid: vm.uuid, token: 1, notAsked: [] }] });
    expect((await run('host', 'show', 'lon-1')).stdout).toContain('  vms        web-1: running, deed holder 1\n');
    expect(await run('vm', 'inspect', 'web-1', '--json')).toMatchObject({
      exitCode: 0,
      json: [
        {
          host: 'lon-1',
          summary: { vmName: 'web-1', deed: { state: 'holder', token: 1 } },
          disks: [{ vdev: 'xvda' }, {}],
        },
      ],
    });
  });

  test('to move a VM by a schedule, now and again', async () => {
    const vm = await world.makeVm('web-2');
    const create = ['schedule', 'create', 'weekly', '--vm', 'web-2', '--from', 'lon-1', '--to', 'fra-1'];
    const made = await run(...create, '--cron', '0 2 * * 6', '--timezone', 'Europe/London', '--json');
    expect(made).toMatchObject({ exitCode: 0 });
    expect(await run(...create, '--cron', '0 2 * * 6', '--json')).not.toMatchObject({ exitCode: 0 });
    expect(await run('schedule', 'pause', 'weekly', '--json')).toMatchObject({ exitCode: 0, json: [{ paused: true }] });
    expect((await run('schedule', 'list', '--json')).json).toMatchObject([
      { schedules: [{ id: 'weekly', what: { vm: 'web-2' }, from: 'lon-1', to: 'fra-1', paused: true }] },
    ]);
    expect(await run('schedule', 'resume', 'weekly', '--json')).toMatchObject({ exitCode: 0 });
    expect(await run('schedule', 'trigger', 'weekly', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ id: 'weekly', triggered: true }],
    });
    await (await begun(vm.uuid)).result();
    await expectMoved(world, vm);
    expect(await run('schedule', 'delete', 'weekly', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ deleted: true }],
    });
    expect((await run('schedule', 'list', '--json')).json).toMatchObject([{ schedules: [] }]);
    expect(await run('schedule', 'trigger', 'weekly', '--json')).not.toMatchObject({ exitCode: 0 });
  });

  test('of which one is away', async () => {
    await world.killWorker(world.frankfurt);
    await world.makeVm('web-3', { adopt: false });
    const adopt = ['vm', 'adopt', 'web-3', '--host', 'lon-1', '--json'];
    const refused = await run(...adopt);
    expect(refused).toMatchObject({ exitCode: 3, json: [{ error: { type: 'adoption-refused' } }] });
    expect(refused.stderr).toContain('--without-asking fra-1');
    expect(await run(...adopt, '--without-asking', 'fra-1')).toMatchObject({
      exitCode: 0,
      json: [{ notAsked: ['fra-1'] }],
    });
    const away = await run('vm', 'list', '--json');
    expect(away).toMatchObject({ exitCode: 0, json: [{ away: ['fra-1'] }] });
    expect((await run('vm', 'list')).stderr).toContain('fra-1 is away');
    expect(await run('vm', 'list', '--host', 'fra-1', '--json')).toMatchObject({
      exitCode: 5,
      json: [{ error: { type: 'host-away' } }],
    });
  });

  /** The move that a schedule starts in its own time. */
  async function begun(vmUuid: string) {
    for (;;) {
      const move = await world.sealift.handle(vmUuid).catch(() => null);
      if (move !== null) return move;
    }
  }
});
