import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { chunkBytes } from '../../domain/chunks.ts';
import type { TransferProgress } from '../../domain/progress.ts';
import { rebootLabHost } from '../../infra/lab/lab-host.ts';
import { MiB } from '../support/world.ts';
import type { TestHost } from '../support/world.ts';
import type { Reached } from './director.ts';
import { pointEdits } from './edits.ts';
import { nothing } from './faults/faults.ts';
import type { Fault } from './faults/fault.ts';
import { readHostRecords } from './judge/host-records.ts';
import { play } from './play.ts';
import { points } from './points.ts';
import { Random } from './random.ts';
import { Run } from './run.ts';
import { sabotages } from './sabotage.ts';
import { Stage } from './stage.ts';
import { makeSuspect } from './suspects.ts';

/** As a power cut does: what was written to the landing's first disk and is not in the journal, so not synced, is not there. */
async function loseUnsynced(at: TestHost): Promise<void> {
  const landing = readHostRecords(at).runs.find(({ role, state }) => role === 'destination' && state === 'open')!;
  const sql = new DatabaseSync(join(at.host.filePath, '../state/host.db'), { readOnly: true });
  const rows = sql
    .prepare('SELECT chunk FROM journal_chunk JOIN journal_run ON run_id = id WHERE run = ? AND role = ? AND disk = 0')
    .all(`${landing.lineage}/${String(landing.token)}`, 'landing');
  sql.close();
  const synced = new Set(rows.map(({ chunk }) => Number(chunk)));
  const disk = await open(landing.places!.disks[0]!.path, 'r+');
  const { size } = await disk.stat();
  for (let index = 0; index * chunkBytes < size; index += 1) {
    const bytes = Math.min(chunkBytes, size - index * chunkBytes);
    if (!synced.has(index)) await disk.write(Buffer.alloc(bytes), 0, bytes, index * chunkBytes);
  }
  await disk.close();
}

describe('the edits', () => {
  test.each([{ name: 'points alone', edits: [] }, ...sabotages])(
    '$name: each text to change stands there once',
    async ({ edits }) => {
      const texts = new Map<string, string>();
      for (const { file, old, new: put } of [...edits, ...pointEdits]) {
        const text = texts.get(file) ?? (await readFile(join(import.meta.dirname, '../..', file), 'utf8'));
        expect({ file, old, times: text.split(old).length - 1 }).toEqual({ file, old, times: 1 });
        texts.set(
          file,
          text.replace(old, () => put),
        );
      }
    },
  );
});

describe('the judge catches a build with a guard taken out', () => {
  let stage: Stage | null = null;
  afterEach(async () => {
    await stage?.close();
    stage = null;
  });

  /** Plays one sealed move in the sabotaged build, with a fault that fits the guard. Returns the judge's complaints. */
  async function caught(sabotage: string, point: string, strike: Fault['strike']): Promise<string> {
    stage = await Stage.open(sabotage);
    const at = points.find(({ name }) => name === point)!;
    const { complaints } = await play(stage, {
      seed: 1,
      method: 'sealed',
      point: at,
      fault: { name: sabotage, strike },
    });
    return complaints.join('\n');
  }

  test('fence skipped: the source boots, and starts what it has handed over', async () => {
    const complaints = await caught('fence skipped', 'after start', async ({ stage: { world } }) => {
      await world.killWorker(world.london);
      await rebootLabHost(world.london.host.lab.root);
      await world.startWorker(world.london);
    });
    expect(complaints).toMatch(/was started in .*lon-1.* beside .*fra-1/);
    expect(complaints).toMatch(/was started in .*lon-1.*, which does not hold it/);
    expect(complaints).toMatch(/was handed over and can be written/);
  });

  test('token check skipped: the deed of an earlier run is taken for one that is only on its way', async () => {
    stage = await Stage.open('token check skipped');
    const { director, temporal, world } = stage;
    const suspect = await makeSuspect(world, stage.secrets, 'twice');
    const first = new Run(stage, suspect, 'sealed', new Random(1));
    await first.carryOut('move');
    await first.carryOut('revert');
    const accepted = stage.steps.find(({ name }) => name === 'acceptDeed')!;
    let holders: string[] = [];
    director.lie({
      fits: ({ name, when }) => name === 'receiveRun' && when === 'after',
      act: async () => {
        await temporal.activity
          .execute('acceptDeed', {
            id: 'an-old-deed',
            taskQueue: 'host.fra-1',
            args: (accepted.facts as { ask: unknown[] }).ask,
            scheduleToCloseTimeout: 10_000,
            heartbeatTimeout: 5_000,
          })
          .catch(() => undefined);
        holders = first.holders();
      },
    });
    const second = new Run(stage, suspect, 'sealed', new Random(2));
    await second.carryOut('move');
    expect(holders).toEqual(['lon-1', 'fra-1']);
    const complaints = await second.judged();
    expect(complaints.join('\n')).toMatch(/twice has 2 holders \(lon-1: holder, fra-1: holder, nyc-1: no record\)/);
  });

  test('verify skipped: a bit flips on the way, and the disk is another', async () => {
    const flips: Fault['strike'] = async ({ proxy }) => {
      let left = 1;
      proxy.onFrame = ({ kind, bytes }) => {
        if (kind !== 'chunk' || bytes.length < MiB || left === 0) return [bytes];
        left -= 1;
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(MiB) ^ 1, MiB);
        return [flipped];
      };
    };
    expect(await caught('verify skipped', 'before send', flips)).toMatch(/the content of .* is not what it was/);
  });

  test('acknowledgement before the sync: power fails between them, and what was promised is not there', async () => {
    stage = await Stage.open('acknowledgement before the sync');
    const { world } = stage;
    // Only of the disk that no guest writes to; others go on as they would.
    const loses = async (_run: Run, at: Reached): Promise<void> => {
      const [place] = at.facts as { disk: number; index: number }[];
      const landed = readHostRecords(world.frankfurt).runs.find(
        ({ role, state }) => role === 'destination' && state === 'open',
      );
      const path = landed?.places?.disks[place!.disk]?.path ?? '';
      // Its read-back finds it in the device's cache.
      await sleep(3_000);
      await world.killWorker(world.frankfurt);
      const disk = await open(path, 'r+');
      await disk.write(Buffer.alloc(MiB), 0, MiB, place!.index * chunkBytes);
      await disk.close();
      await world.startWorker(world.frankfurt);
    };
    const point = {
      ...points.find(({ name }) => name === 'before first chunk')!,
      fits: ({ name, facts }: Reached) => name === 'unsynced' && (facts as { disk: number }[])[0]?.disk === 0,
    };
    const { complaints } = await play(stage, {
      seed: 1,
      method: 'sealed',
      point,
      fault: { name: 'power fails', strike: loses },
    });
    expect(complaints.join('\n')).toMatch(/the content of .* is not what it was/);
  });

  test('resume from the heartbeat alone: what was under way when both hosts lost power never comes', async () => {
    const complaints = await caught(
      'resume from the heartbeat alone',
      'before middle chunk',
      async ({ stage: { world, temporal }, workflowId }) => {
        // The source has read all of it meanwhile, and told so.
        const handle = temporal.workflow.getHandle(workflowId);
        const told = async (): Promise<number> => {
          const { raw } = await handle.describe();
          const [details] = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads ?? [];
          const { disks } = JSON.parse(String(details?.data ?? '{"disks":[]}')) as TransferProgress;
          return disks.reduce((sum, { verifiedBytes, totalBytes }) => sum + Number(verifiedBytes === totalBytes), 0);
        };
        while ((await told()) < 2) await sleep(50);
        await Promise.all(world.up.hosts.map((at) => world.killWorker(at)));
        await loseUnsynced(world.frankfurt);
        await Promise.all(world.up.hosts.map((at) => world.startWorker(at)));
      },
    );
    expect(complaints).toMatch(/the content of .* is not what it was/);
  });

  test('READY without read-back: a disk loses a write without a word', async () => {
    const complaints = await caught('READY without read-back', 'before send', async ({ stage: { director } }) => {
      await director.breakDisk('fra-1', 'write', 'LOST');
    });
    expect(complaints).toMatch(
      /the content of .* is not what it was|is lost|no ring of records|records, .* are not on/,
    );
  });

  test('start before accept: the VM starts where nobody holds it', async () => {
    const complaints = await caught('start before accept', 'before accept', nothing.strike);
    expect(complaints).toMatch(
      /was started in .*fra-1.*, which does not hold it \(lon-1: ceded, fra-1: receiving, nyc-1: no record\)/,
    );
  });

  test('a configuration in the environment of xl: told of a program that was gone before anybody looked', async () => {
    expect(await caught('a configuration in the environment of xl', 'before start', nothing.strike)).toMatch(
      /programs.log has a VM's configuration/,
    );
  });

  test('and has nothing to say about the whole build', async () => {
    expect(await caught('', 'before send', nothing.strike)).toBe('');
  });
});
