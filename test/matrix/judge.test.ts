import { appendFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { openConnection } from '../../client/connect.ts';
import { until } from '../../infra/lab/patience.ts';
import { recordBytes, recordOffset } from '../../infra/lab/record-format.ts';
import { makeWorld, MiB, migrate, quick, xl } from '../support/world.ts';
import type { TestHost, World } from '../support/world.ts';
import { judgeBoot, judgeHolders } from './judge/agreement.ts';
import { configuredDisks, judgeGone, runsOf } from './judge/copies.ts';
import { readHostRecords } from './judge/host-records.ts';
import { judge } from './judge/judge.ts';
import type { Secrets } from './judge/secrets.ts';
import type { Suspect } from './judge/suspect.ts';
import { drawSecrets, makeSuspect, removeSuspect } from './suspects.ts';

let world: World;
let connection: Connection;
let secrets: Secrets;
const started: string[] = [];
beforeAll(async () => {
  secrets = drawSecrets();
  world = await makeWorld({
    env: (folder) => ({ TMPDIR: folder }),
    onBoot: (boot) => void started.push(...judgeBoot(world.up.hosts, boot)),
  });
  const { address } = world.up.server;
  connection = await openConnection({ address, namespace: 'default', connectionOptions: { address } });
}, 120_000);
afterAll(async () => {
  await connection.close();
  await world.close();
});

const judged = (suspect: Suspect, at: TestHost, runs = true): Promise<string[]> =>
  judge({ world, temporal: new Client({ connection }), secrets }, suspect, { at, runs });

test('the judge has nothing to say about a move, its revert, another move, its finish and what gc removes', async () => {
  const suspect = await makeSuspect(world, secrets, 'good');
  const { name } = suspect.vm;
  expect(await judged(suspect, world.london)).toEqual([]);
  await (await migrate(world, { vm: name })).result();
  expect(await judged(suspect, world.frankfurt)).toEqual([]);
  await (await world.sealift.revert({ vm: name, confirm: name, timings: quick })).result();
  expect(await judged(suspect, world.london)).toEqual([]);
  expect(suspect.leftBehind.size).toBe(1);
  await (await migrate(world, { vm: name })).result();
  const { released } = await (await world.sealift.finish({ vm: name, by: 'test' })).result();
  await world.sealift.removeGarbage({ host: 'lon-1', ids: released, by: 'test' });
  const notAsked = /^good at lon-1, .*: it was given free for removal, which nobody had asked for$/;
  expect(await judged(suspect, world.frankfurt)).toContainEqual(expect.stringMatching(notAsked));
  for (const id of released) suspect.givenFree.add(id);
  expect(await judged(suspect, world.frankfurt)).toEqual([]);
  expect(started).toEqual([]);
  await removeSuspect(world, suspect);
  expect(world.observer.living(suspect.vm.uuid)).toEqual([]);
}, 120_000);

test('it finds what a return has left behind, also when the VM has gone on before it looks', async () => {
  const suspect = await makeSuspect(world, secrets, 'onward');
  const { name } = suspect.vm;
  await (await migrate(world, { vm: name })).result();
  const [boot] = world.observer.boots.filter(({ uuid, root }) => uuid === suspect.vm.uuid && root.includes('fra-1'));
  expect(await until(30_000, () => (boot?.records.length ?? 0) > 3)).toBe(true);
  await (await world.sealift.revert({ vm: name, confirm: name, timings: quick })).result();
  await (await migrate(world, { vm: name })).result();
  expect(await judged(suspect, world.frankfurt)).toEqual([]);
  await removeSuspect(world, suspect);
}, 120_000);

test('it sees what is wrong', async () => {
  const suspect = await makeSuspect(world, secrets, 'bad');
  await (await migrate(world, { vm: 'bad' })).result();
  const [first = '', data = ''] = (await configuredDisks(world.frankfurt, suspect)) ?? [];
  await xl(world.frankfurt, 'pause', 'bad');
  expect(await judged(suspect, world.frankfurt)).toEqual(['bad has a domain on fra-1 and its guest does nothing']);
  await xl(world.frankfurt, 'destroy', 'bad');
  expect(await judged(suspect, world.frankfurt)).toEqual(['bad does not run on fra-1, its holder']);
  expect(await judged(suspect, world.london, false)).toEqual([
    'bad: the workflow ended with it on lon-1, the records say fra-1',
  ]);

  // A record is lost, a byte of the content is another.
  const disk = await open(data, 'r+');
  const sector = Buffer.alloc(recordBytes);
  const at = recordOffset({ start: 0, slots: 2_000 }, 3);
  await disk.read(sector, 0, recordBytes, at);
  await disk.write(Buffer.alloc(recordBytes), 0, recordBytes, at);
  const content = await open(first, 'r+');
  await content.write('x', 3 * MiB);
  await content.close();
  expect(await judged(suspect, world.frankfurt, false)).toEqual([
    expect.stringMatching(/^bad: the content of .* is not what it was$/),
    expect.stringContaining('record 3 is lost'),
    expect.stringMatching(/1 records, 3 to 3, that its guest wrote/),
  ]);
  await disk.write(sector, 0, recordBytes, at);
  await disk.close();
  suspect.content = null;

  // A file, a secret and an open disk that nobody speaks of.
  const stray = join(world.frankfurt.host.poolPath, 'stray.raw');
  await writeFile(stray, '');
  const told = join(world.folder, 'logs/told.log');
  await appendFile(told, `${secrets.config}-x ${secrets.content}-x`);
  await mkdir(join(world.folder, 'tmp'));
  await writeFile(join(world.folder, 'tmp/key'), Buffer.from(secrets.keys[0] ?? 'AGE-SECRET-KEY-1'));
  expect(await judged(suspect, world.frankfurt, false)).toEqual([
    'tmp/key is left',
    expect.stringMatching(/^nothing on fra-1 speaks of .*stray.raw$/),
    "logs/told.log has a disk's content",
    "logs/told.log has a VM's configuration",
    "tmp/key has a run's key",
  ]);
  for (const path of [stray, told, join(world.folder, 'tmp/key')]) await rm(path);

  // A host that says nothing of what it has.
  const mute = { ...world, sealift: { ...world.sealift, vms: () => Promise.resolve({ vms: [], away: [] }) } };
  const scene = { world: mute, temporal: new Client({ connection }), secrets };
  expect(await judge(scene, suspect, { at: world.frankfurt, runs: false })).toEqual([
    "lon-1 shows nothing of bad's copy of token 2 (ceded)",
    "fra-1 shows nothing of bad's copy of token 2 (accepted)",
  ]);

  // Two of them, the second without the right.
  const copy = join(world.london.host.poolPath, 'copy.raw');
  await writeFile(copy, Buffer.alloc(MiB));
  const config = `name = "bad"\nuuid = "${suspect.vm.uuid}"\ntype = "hvm"\nmemory = 32\ndisk = [ "${copy},raw,xvda,w" ]\n`;
  const second = join(world.london.host.lab.etcFolder, 'second.cfg');
  await writeFile(second, config);
  await xl(world.frankfurt, 'create', join(world.frankfurt.host.lab.etcFolder, 'bad.cfg'));
  expect(started.splice(0)).toEqual([]);
  await xl(world.london, 'create', second);
  expect(started.splice(0)).toEqual([expect.stringContaining('which does not hold it (lon-1: ceded, fra-1: holder)')]);
  expect((await judged(suspect, world.frankfurt)).join('\n')).toMatch(/bad was started in .* beside/);

  // The copy that was handed over loses a disk and its journal, and its host says that it holds the VM.
  const [left] = runsOf(readHostRecords(world.london), suspect.vm.uuid).filter(({ state }) => state === 'ceded');
  const { lineage = '', token } = left ?? {};
  const lost = left?.places?.disks[0]?.path ?? '';
  await execa('chattr', ['-i', lost], { reject: false });
  await rm(lost);
  const sql = new DatabaseSync(join(world.london.host.filePath, '../state/host.db'), { timeout: 5_000 });
  sql.exec(`DELETE FROM journal_run WHERE run = '${lineage}/${String(token)}'`);
  expect(judgeGone(readHostRecords(world.london), suspect)).toEqual([
    expect.stringMatching(/its journal is gone$/),
    expect.stringMatching(/its source disk .* is gone$/),
  ]);
  sql.exec(`UPDATE deed_record SET state = 'holder' WHERE lineage = '${lineage}'`);
  sql.close();
  const look = () => [world.london, world.frankfurt].map(readHostRecords);
  expect(judgeHolders(look(), look, suspect)).toEqual(['bad is held at a time by lon-1 and fra-1']);
}, 120_000);
