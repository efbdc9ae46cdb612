import { access, copyFile, cp, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from '@jest/globals';
import { parseHostFile, printHostFile } from '../../domain/host-file.ts';
import { makeLabHost } from '../../infra/lab/lab-host.ts';
import { expectMoved } from '../support/expect-moved.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate, xl } from '../support/world.ts';

describe('the records of a host that are not its newest, or not its own', () => {
  const world = useWorld();

  const stateOf = async (at = world.london): Promise<string> =>
    parseHostFile(await readFile(at.host.filePath, 'utf8'), 'host.toml').state;

  test('an older database put back at the source is told by file, and else by the marks: nothing starts there', async () => {
    const vm = await world.makeVm('rolled-back');
    const state = await stateOf();
    const [backup, newest] = [join(world.folder, 'backup'), join(world.folder, 'newest')];
    // A worker that stops leaves nothing beside the database.
    await world.london.worker.stop();
    expect((await readdir(state)).filter((name) => name.startsWith('host.db-'))).toEqual([]);
    await copyFile(join(state, 'host.db'), backup);
    await world.startWorker(world.london);
    const config = join(world.london.host.lab.etcFolder, `${vm.name}.cfg`);
    const text = await readFile(config);
    await (await migrate(world, { vm: vm.name })).result();
    await world.london.worker.stop();

    // As a restore does that makes the file anew.
    await rename(join(state, 'host.db'), newest);
    await copyFile(backup, join(state, 'host.db'));
    await expect(world.startWorker(world.london)).rejects.toThrow('[copied-host]');
    await rename(newest, join(state, 'host.db'));

    // As one does that writes into the file that is there.
    const kept = await readFile(join(state, 'host.db'));
    await writeFile(join(state, 'host.db'), await readFile(backup));
    await world.startWorker(world.london);
    await expect(migrate(world, { vm: vm.uuid, from: 'lon-1' }).then((move) => move.result())).rejects.toMatchObject({
      type: 'unknown-vm',
    });
    // A restore of all of dom0 brings the configuration back too; the fence on the disks and its marks stay.
    await writeFile(config, text);
    await expect(migrate(world, { vm: vm.uuid, from: 'lon-1' }).then((move) => move.result())).rejects.toMatchObject({
      type: 'name-taken',
    });
    await expect(world.sealift.adopt({ vm: vm.name, host: 'lon-1', by: 'test' })).rejects.toMatchObject({
      type: 'unknown-state',
    });
    expect((await xl(world.london, 'list')).stdout).not.toContain(vm.name);

    await rm(config);
    await world.london.worker.stop();
    await writeFile(join(state, 'host.db'), kept);
    await world.startWorker(world.london);
    await expectMoved(world, vm);
  });

  test('a state that was copied does not serve another dom0', async () => {
    const elsewhere = await anotherHost();
    const state = await stateOf();
    await cp(state, elsewhere.state, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    expect(await elsewhere.start()).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('[copied-host]') });
    await expect(access(elsewhere.owner)).rejects.toMatchObject({ code: 'ENOENT' });
    await rm(elsewhere.folder, { recursive: true });
  });

  test('an identity that was copied alone serves no other records, new ones or those of another host', async () => {
    const elsewhere = await anotherHost();
    const key = join(await stateOf(), 'identity.key');
    await mkdir(elsewhere.state);
    await copyFile(key, join(elsewhere.state, 'identity.key'));
    expect(await elsewhere.start()).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('[copied-host]') });
    await expect(access(elsewhere.owner)).rejects.toMatchObject({ code: 'ENOENT' });
    await rm(elsewhere.folder, { recursive: true });

    const own = join(await stateOf(world.frankfurt), 'identity.key');
    const before = await readFile(own);
    await world.frankfurt.worker.stop();
    await copyFile(key, own);
    await expect(world.startWorker(world.frankfurt)).rejects.toThrow('[copied-host]');
    await writeFile(own, before);
    await world.startWorker(world.frankfurt);
  });

  /** A host that is not there yet, on a dom0 of its own, with the file of London's. */
  const anotherHost = async () => {
    const folder = join(world.folder, 'elsewhere');
    const lab = await makeLabHost(join(folder, 'dom0'));
    const [state, pool, path] = ['state', 'pool', 'host.toml'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await mkdir(pool);
    const file = parseHostFile(await readFile(world.london.host.filePath, 'utf8'), 'host.toml');
    const xen = { ...file.xen, etc: lab.etcFolder, save: lab.saveFolder };
    const landing = { address: '127.0.0.1', port: 0 };
    await writeFile(
      path,
      printHostFile({ ...file, state, xen, landing, pool: [{ name: 'fast', kind: 'folder', path: pool }] }),
    );
    const start = async () =>
      execa(process.execPath, ['workers/host.ts', path], {
        env: {
          ...world.london.host.env,
          ...lab.env,
          TEMPORAL_ADDRESS: world.up.server.address,
          SEALIFT_STOP_WITH_STDIN: '',
        },
        stdin: 'ignore',
        reject: false,
      });
    return { folder, state, owner: join(lab.etcFolder, 'sealift.owner'), start };
  };
});
