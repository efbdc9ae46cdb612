import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { connect } from '../../client/index.ts';
import { sealift, startSealift, told } from '../support/command.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { until, untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { MiB } from '../support/world.ts';

describe('the command line moves a VM on a live server', () => {
  const world = useWorld();

  const run = (...args: string[]) => sealift(world, ...args);

  test('from the plan to the end, steered on the way and left by Ctrl-C', async () => {
    const vm = await world.makeVm('web-1', { diskBytes: [16 * MiB, 2 * MiB], noise: true });
    expect(await run('plan', 'web-1', '--to', 'fra-1', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ refused: false }],
    });
    const begun = ['migrate', 'web-1', '--to', 'fra-1', '--cutover', 'approve', '--limit', '1Mi', '--detach', '--json'];
    expect(await run(...begun)).toMatchObject({
      exitCode: 0,
      json: [{ event: 'started', vmUuid: vm.uuid, vmName: 'web-1', from: 'lon-1', to: 'fra-1' }],
    });
    const move = await world.sealift.handle('web-1');
    await untilPhase(move, 'waits');

    const { json: listed } = await run('list', '--open', '--json');
    expect(listed).toMatchObject([{ moves: [{ vmName: 'web-1', kind: 'migrate', running: true }] }]);
    expect(await run('show', 'web-1', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ phase: 'waits', status: { vmName: 'web-1', token: 2, approvedBy: null } }],
    });
    expect((await run('show', 'web-1')).stdout).toContain('sealift approve web-1');
    const second = await run('migrate', 'web-1', '--to', 'fra-1', '--json');
    expect(second).toMatchObject({ exitCode: 3, json: [{ error: { type: 'already-migrating' } }] });
    expect(second.stderr).toContain('a move of web-1 is open, from lon-1 to fra-1');
    const waits = await run('watch', 'web-1', '--json');
    expect(waits.exitCode).toBe(4);
    expect(waits.json.at(-1)).toMatchObject({ event: 'waits', waits: expect.arrayContaining([expect.any(String)]) });

    // Paused before bytes move, so that all that follows comes in time on any machine.
    expect(await run('pause', 'web-1', '--json')).toMatchObject({ exitCode: 0, json: [{ paused: true }] });
    const approved = await run('approve', 'web-1', '--by', 'ops@example.org', '--json');
    expect(approved).toMatchObject({ exitCode: 0, json: [{ vm: 'web-1', approvedBy: 'ops@example.org' }] });
    await until(move, (at) => at.transfer?.paused === true);
    expect((await run('show', 'web-1', '--json')).json).toMatchObject([{ status: { paused: true } }]);
    expect(await run('throttle', 'web-1', '2Mi', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ vm: 'web-1', limitBytesPerSecond: 2 * MiB }],
    });
    expect(await run('throttle', 'web-1', 'none', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ limitBytesPerSecond: null }],
    });

    const watching = startSealift(world, 'watch', 'web-1');
    watching.stdout.once('data', () => watching.kill('SIGINT'));
    const left = told(await watching);
    expect(left.exitCode).toBe(130);
    expect(left.stdout + left.stderr).toContain('sealift watch web-1');

    expect(await run('resume', 'web-1', '--json')).toMatchObject({ exitCode: 0, json: [{ vm: 'web-1' }] });
    const watched = await run('watch', 'web-1', '--json');
    expect(watched.exitCode).toBe(0);
    expect(watched.json.at(-1)).toMatchObject({
      event: 'done',
      result: { body: { vmName: 'web-1', approvedBy: 'ops@example.org', plainBytes: 18 * MiB } },
    });
    await expectMoved(world, vm);
    expect((await run('list', '--vm', 'web-1', '--json')).json).toMatchObject([
      { moves: [{ phase: 'done', running: false }] },
    ]);
    const late = await run('abort', 'web-1', '--json');
    expect(late).toMatchObject({ exitCode: 3, json: [{ error: { type: 'abort-refused' } }] });
    expect(late.stderr).toContain('sealift revert web-1');
  });

  test('and aborts a move, with the VM where it was', async () => {
    const vm = await world.makeVm('web-2');
    await run('migrate', 'web-2', '--to', 'fra-1', '--cutover', 'approve', '--detach');
    const move = await world.sealift.handle('web-2');
    await untilPhase(move, 'waits');
    expect(await run('abort', 'web-2', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ vm: 'web-2', outcome: 'aborted' }],
    });
    const watched = await run('watch', 'web-2', '--json');
    expect(watched).toMatchObject({ exitCode: 1 });
    expect(watched.json.at(-1)).toMatchObject({ error: { type: 'cancelled' } });
    await expectUnmoved(world, vm);
  });

  test('and is left by Ctrl-C while Temporal is away, with nothing to be seen of calls that are under way', async () => {
    const vm = await world.makeVm('web-4');
    await run('migrate', 'web-4', '--to', 'fra-1', '--cutover', 'approve', '--detach');
    const move = await world.sealift.handle('web-4');
    await untilPhase(move, 'waits');
    const watching = startSealift(world, 'watch', 'web-4', '--stay');
    await once(watching.stdout, 'data');
    await world.killTemporal();
    // Its next call has failed once by then, and is to be tried again.
    await connect({ address: world.up.server.address, connectMs: 2_000 }).then(
      () => Promise.reject(new Error('Temporal is gone')),
      () => undefined,
    );
    watching.kill('SIGINT');
    const left = told(await watching);
    expect(left).toMatchObject({ exitCode: 130, stderr: expect.stringContaining('sealift watch web-4') });
    expect(left.stderr.trim().split('\n')).toHaveLength(1);
    await world.startTemporal();
    await move.abort();
    await expectUnmoved(world, vm);
  });

  test('and says what it was refused for', async () => {
    await world.makeVm('web-3', { adopt: false });
    const planned = await run('plan', 'web-3', '--to', 'fra-1', '--json');
    expect(planned).toMatchObject({ exitCode: 3, json: [{ refused: true, concerns: [{ name: 'not-adopted' }] }] });
    for (const [args, type] of [
      [['migrate', 'web-3', '--to', 'fra-1'], 'not-adopted'],
      [['migrate', 'nobody', '--to', 'fra-1'], 'unknown-vm'],
      [['plan', 'web-3', '--to', 'nowhere'], 'unknown-host'],
      [['watch', 'nobody'], 'unknown-run'],
    ] as const) {
      const refused = await run(...args, '--json');
      expect({ args, ...refused }).toMatchObject({ exitCode: 3 });
      expect(refused.json.at(-1)).toMatchObject({ error: { type } });
    }
  });
});
