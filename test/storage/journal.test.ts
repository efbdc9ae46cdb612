import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chunkBytes } from '../../domain/chunks.ts';
import { openDatabase } from '../../storage/database.ts';
import type { Database } from '../../storage/database.ts';
import { Journal, journalTables } from '../../storage/journal.ts';
import { atEnd, linesOf, makeFolder, startProgram } from './support.ts';

const run = '0123456789abcdef0123456789abcdef/3';
const later = '0123456789abcdef0123456789abcdef/4';
// Ten chunks, the last one of 100 bytes; and less than one chunk.
const disks = [
  { disk: 0, sizeBytes: 9 * chunkBytes + 100 },
  { disk: 1, sizeBytes: 512 },
];

function open(file = join(makeFolder(), 'host.db')): Database {
  const database = openDatabase(file, [journalTables]);
  atEnd(() => {
    database.close();
  });
  return database;
}

function openJournal(database = open()): Journal {
  const journal = new Journal(database, 'landing');
  journal.open(run, disks);
  return journal;
}

function digestOf(text: unknown): Buffer {
  return createHash('sha256').update(String(text)).digest();
}

function entry(index: number, content: unknown = index, disk = 0) {
  return { disk, index, digest: digestOf(content), zero: false };
}

describe('the journal', () => {
  test('tells what it was told, after it was opened anew', () => {
    const file = join(makeFolder(), 'host.db');
    const database = open(file);
    const journal = openJournal(database);
    journal.record(run, [entry(4), entry(9), { ...entry(2), zero: true }]);
    journal.record(run, [entry(0, 'b', 1)]);
    expect(journal.markReadBack(run, [entry(4)])).toEqual([]);
    database.close();
    const again = openJournal(open(file));
    expect(again.disks(run)).toEqual(disks);
    expect([...again.held(run, 0)]).toEqual([
      { index: 2, digest: digestOf(2), zero: true, readBack: false },
      { index: 4, digest: digestOf(4), zero: false, readBack: true },
      { index: 9, digest: digestOf(9), zero: false, readBack: false },
    ]);
    expect([...again.held(run, 1)]).toEqual([{ index: 0, digest: digestOf('b'), zero: false, readBack: false }]);
  });

  test('knows whether it holds anything of a run', () => {
    const journal = openJournal();
    journal.open(later, disks);
    expect(journal.holds(run)).toBe(false);
    journal.record(run, [entry(0, 'b', 1)]);
    expect([journal.holds(run), journal.holds(later)]).toEqual([true, false]);
    journal.drop(run, [{ disk: 1, index: 0 }]);
    expect(journal.holds(run)).toBe(false);
  });

  test('counts bytes to the last, shorter chunk', () => {
    const journal = openJournal();
    const empty = { heldChunks: 0, heldBytes: 0, readBackChunks: 0, readBackBytes: 0 };
    expect(journal.totals(run)).toEqual([
      { disk: 0, ...empty },
      { disk: 1, ...empty },
    ]);
    journal.record(run, [entry(0), entry(9), entry(0, 'b', 1)]);
    journal.markReadBack(run, [entry(9)]);
    expect(journal.totals(run)).toEqual([
      { disk: 0, heldChunks: 2, heldBytes: chunkBytes + 100, readBackChunks: 1, readBackBytes: 100 },
      { disk: 1, heldChunks: 1, heldBytes: 512, readBackChunks: 0, readBackBytes: 0 },
    ]);
  });

  test('takes a batch as a whole or not at all', () => {
    const journal = openJournal();
    const badFrame = expect.objectContaining({ type: 'bad-frame' });
    for (const wrong of [entry(10), entry(-1), entry(1.5), entry(0, 0, 2), entry(1, 0, 1)]) {
      expect(() => {
        journal.record(run, [entry(0), wrong]);
      }).toThrow(badFrame);
    }
    expect(() => {
      journal.record(run, [entry(0), { ...entry(1), digest: Buffer.alloc(31) }]);
    }).toThrow('CHECK constraint');
    expect([...journal.held(run, 0)]).toEqual([]);
  });

  test('forgets the read-back of a chunk that is written again', () => {
    const journal = openJournal();
    journal.record(run, [entry(1, 'old'), entry(2, 'same')]);
    journal.markReadBack(run, [entry(1, 'old'), entry(2, 'same')]);
    journal.record(run, [entry(1, 'new')]);
    expect(journal.totals(run)[0]).toMatchObject({ heldChunks: 2, readBackChunks: 1 });
    // A read-back that was under way when the chunk was written again proves nothing about the new bytes.
    expect(journal.markReadBack(run, [entry(1, 'old'), entry(3)])).toEqual([
      { disk: 0, index: 1 },
      { disk: 0, index: 3 },
    ]);
    expect(journal.totals(run)[0]).toMatchObject({ readBackChunks: 1 });
    expect(journal.markReadBack(run, [entry(1, 'new')])).toEqual([]);
    journal.drop(run, [{ disk: 0, index: 1 }]);
    expect([...journal.held(run, 0)].map(({ index }) => index)).toEqual([2]);
  });

  test('once closed, refuses records for good, and still reads back and drops', () => {
    const file = join(makeFolder(), 'host.db');
    const database = open(file);
    const journal = openJournal(database);
    journal.record(run, [entry(0), entry(1)]);
    journal.close(run);
    journal.close(run);
    database.close();
    const again = openJournal(open(file));
    expect(again.isClosed(run)).toBe(true);
    expect(() => {
      again.record(run, [entry(2)]);
    }).toThrow(expect.objectContaining({ type: 'run-closed' }));
    again.markReadBack(run, [entry(0)]);
    again.drop(run, [entry(1)]);
    expect(again.totals(run)[0]).toMatchObject({ heldChunks: 1, readBackChunks: 1 });
    again.reopen(run);
    again.record(run, [entry(1)]);
  });

  test('hands the chunks of an abandoned run to a later one, to be read back again', () => {
    const journal = openJournal();
    journal.open(later, [
      { disk: 0, sizeBytes: 9 * chunkBytes + 100 },
      { disk: 1, sizeBytes: 1024 },
    ]);
    journal.record(run, [entry(1), entry(2), entry(0, 'b', 1)]);
    journal.markReadBack(run, [entry(1)]);
    journal.record(later, [entry(2, 'newer')]);
    journal.adopt(run, later);
    journal.adopt(run, later);
    expect([...journal.held(later, 0)]).toEqual([
      { index: 1, digest: digestOf(1), zero: false, readBack: false },
      { index: 2, digest: digestOf('newer'), zero: false, readBack: false },
    ]);
    // A disk of another size is another disk.
    expect([...journal.held(later, 1)]).toEqual([]);
    expect([...journal.held(run, 0)]).toEqual([]);
    expect(() => {
      journal.record(run, [entry(5)]);
    }).toThrow(expect.objectContaining({ type: 'run-closed' }));
    expect(() => {
      journal.adopt(later, later);
    }).toThrow(expect.objectContaining({ type: 'internal' }));
    journal.close(later);
    expect(() => {
      journal.adopt(run, later);
    }).toThrow(expect.objectContaining({ type: 'run-closed' }));
  });

  test('keeps what a host read apart from what landed on it', () => {
    const database = open();
    const landing = openJournal(database);
    const source = new Journal(database, 'source');
    source.open(run, [{ disk: 0, sizeBytes: chunkBytes }]);
    source.record(run, [entry(0, 'read')]);
    source.close(run);
    landing.record(run, [entry(0, 'landed')]);
    expect([...source.held(run, 0)].map(({ digest }) => digest)).toEqual([digestOf('read')]);
    source.forget(run);
    source.forget(run);
    expect([...landing.held(run, 0)].map(({ digest }) => digest)).toEqual([digestOf('landed')]);
  });

  test('knows no run that was not opened, and no other disks for one that was', () => {
    const journal = openJournal();
    const unknown = expect.objectContaining({ type: 'unknown-run', message: expect.stringContaining(later) });
    const asks = [
      () => journal.record(later, []),
      () => journal.totals(later),
      () => [...journal.held(later, 0)],
      () => journal.isClosed(later),
      () => journal.close(later),
      () => journal.adopt(later, run),
    ];
    for (const ask of asks) expect(ask).toThrow(unknown);
    const other = expect.objectContaining({ type: 'unknown-state' });
    expect(() => journal.open(run, disks.slice(1))).toThrow(other);
    expect(() =>
      journal.open(run, [
        { disk: 0, sizeBytes: 1 },
        { disk: 1, sizeBytes: 512 },
      ]),
    ).toThrow(other);
    journal.open(run, disks.toReversed());
    journal.forget(run);
    expect(() => journal.totals(run)).toThrow(expect.objectContaining({ type: 'unknown-run' }));
    journal.open(run, disks);
    expect(journal.totals(run)[0]).toMatchObject({ heldChunks: 0 });
  });

  test('can be changed while somebody goes through it', () => {
    const database = open();
    const journal = new Journal(database);
    const chunks = 3000;
    journal.open(run, [{ disk: 0, sizeBytes: chunks * chunkBytes }]);
    journal.record(
      run,
      Array.from({ length: chunks }, (_, index) => entry(index)),
    );
    const seen: number[] = [];
    // As one transaction, for the test's speed only.
    database.transaction(() => {
      for (const { index } of journal.held(run, 0)) {
        seen.push(index);
        if (index % 2 === 0) journal.drop(run, [{ disk: 0, index }]);
        if (index === 1500) expect([...journal.held(run, 0)].length).toBeLessThan(chunks);
      }
    });
    expect(seen).toEqual(Array.from({ length: chunks }, (_, index) => index));
    expect(journal.totals(run)[0]).toMatchObject({ heldChunks: chunks / 2 });
  });

  test('is the same as a map of chunks, whatever happens in whatever order', () => {
    const database = open();
    const index = fc.nat(9);
    const step = fc.oneof(
      fc.record({ act: fc.constant('record'), index, content: fc.nat(2) }),
      fc.record({ act: fc.constant('read'), index, content: fc.nat(2) }),
      fc.record({ act: fc.constant('drop'), index, content: fc.constant(0) }),
    );
    let runs = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        database.transaction(() => {
          const journal = new Journal(database);
          const name = `lineage/${String((runs += 1))}`;
          journal.open(name, disks);
          const model = new Map<number, { content: number; readBack: boolean }>();
          for (const { act, index: at, content } of steps) {
            const known = model.get(at);
            if (act === 'drop') {
              journal.drop(name, [entry(at)]);
              model.delete(at);
            } else if (act === 'record') {
              journal.record(name, [entry(at, content)]);
              model.set(at, { content, readBack: false });
            } else {
              const others = journal.markReadBack(name, [entry(at, content)]);
              expect(others.length === 0).toBe(known?.content === content);
              if (known?.content === content) known.readBack = true;
            }
          }
          const expected = [...model].sort(([a], [b]) => a - b);
          expect([...journal.held(name, 0)]).toEqual(
            expected.map(([at, { content, readBack }]) => ({
              index: at,
              digest: digestOf(content),
              zero: false,
              readBack,
            })),
          );
        });
      }),
      { numRuns: 30 },
    );
  });

  test('holds all that was acknowledged when its process is killed', async () => {
    for (const acknowledged of [1, 7, 40]) {
      const file = join(makeFolder(), 'host.db');
      const writer = startProgram('record-forever.ts', file);
      const lines = linesOf(writer.stdout);
      let last = 0;
      for (let n = 0; n < acknowledged; n += 1) last = Number((await lines.next()).value);
      writer.kill('SIGKILL');
      await writer;
      for (;;) {
        const line = await lines.next();
        if (line.done === true) break;
        last = Number(line.value);
      }
      const held = [...new Journal(open(file)).held('lineage/1', 0)];
      expect(held.length).toBeGreaterThanOrEqual(last);
      expect(held.length % 16).toBe(0);
      expect(held.every(({ index, digest }, at) => index === at && digest.equals(digestOf(index)))).toBe(true);
    }
  });
});
