import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { sealift } from '../support/command.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate } from '../support/world.ts';

describe('the command line after a move, on a live server', () => {
  const world = useWorld();

  const run = (...args: string[]) => sealift(world, ...args);

  test('shows and verifies the receipt, reverts, finishes and collects', async () => {
    const vm = await world.makeVm('db-1');
    await (await migrate(world, { vm: vm.name })).result();
    await receiptIsVerified();

    const wrong = await run('revert', 'db-1', '--confirm', 'db-2', '--json');
    expect(wrong).toMatchObject({ exitCode: 3 });
    expect(wrong.json.at(-1)).toMatchObject({ error: { type: 'confirmation-mismatch' } });
    await expectMoved(world, vm);
    const reverted = await run('revert', 'db-1', '--confirm', 'db-1', '--json');
    expect(reverted.exitCode).toBe(0);
    expect(reverted.json.at(-1)).toMatchObject({
      event: 'done',
      result: { vmName: 'db-1', host: 'lon-1', started: true, leftBehind: { host: 'fra-1' } },
    });
    await expectUnmoved(world, vm);

    await (await migrate(world, { vm: vm.name })).result();
    const finished = await run('finish', 'db-1', '--json');
    expect(finished).toMatchObject({ exitCode: 0, json: [{ vmName: 'db-1', host: 'lon-1' }] });
    const tooLate = await run('revert', 'db-1', '--confirm', 'db-1', '--json');
    expect(tooLate).toMatchObject({ exitCode: 3 });
    expect(tooLate.json.at(-1)).toMatchObject({ error: { type: 'revert-refused' } });
    await collect();
    await expectMoved(world, vm);
  });

  async function receiptIsVerified(): Promise<void> {
    const shown = await run('receipt', 'show', 'db-1', '--json');
    expect(shown).toMatchObject({ exitCode: 0, json: [{ body: { vmName: 'db-1', token: 2 } }] });
    const path = join(world.folder, 'receipt.json');
    await writeFile(path, shown.stdout);
    for (const from of [['--from-hosts'], ['--file', world.london.host.filePath]]) {
      const verified = await run('receipt', 'verify', path, ...from, '--json');
      expect(verified).toMatchObject({ exitCode: 0, json: [{ verified: true }] });
    }
    await writeFile(path, shown.stdout.replace('"token":2', '"token":3'));
    const forged = await run('receipt', 'verify', path, '--from-hosts', '--json');
    expect(forged).toMatchObject({ exitCode: 1, json: [{ verified: false }] });
    const unknown = await run('receipt', 'show', 'db-9', '--json');
    expect(unknown).toMatchObject({ exitCode: 3, json: [{ error: { type: 'unknown-run' } }] });
  }

  async function collect(): Promise<void> {
    const { json, exitCode } = await run('gc', '--host', 'lon-1', '--json');
    expect({ json, exitCode }).toMatchObject({
      exitCode: 0,
      json: [{ garbage: [{ host: 'lon-1', kind: 'released-copy', vmName: 'db-1' }], away: [] }],
    });
    const shown = (await run('host', 'show', 'lon-1')).stdout;
    expect(shown).toMatch(/^ {2}vms {8}db-1: stopped, fenced, deed ceded \d$/m);
    expect(shown).toContain('  removable  released-copy of db-1');
    const [{ id }] = (json[0] as { garbage: [{ id: string }] }).garbage;
    expect(await run('gc', '--host', 'lon-1', '--remove', id, '--json')).toMatchObject({ exitCode: 2 });
    expect(await run('gc', '--host', 'lon-1', '--remove', id, '--yes', '--json')).toMatchObject({
      exitCode: 0,
      json: [{ removed: [{ id }] }],
    });
    expect((await run('gc', '--host', 'lon-1', '--json')).json).toMatchObject([{ garbage: [] }]);
  }
});
