import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { openDatabase } from '../../storage/database.ts';
import type { Database } from '../../storage/database.ts';
import { atEnd, canMount, makeFolder, mountAt, needsRoot } from './support.ts';

const first = 'CREATE TABLE note (text TEXT NOT NULL) STRICT';
const second = "ALTER TABLE note ADD COLUMN by TEXT NOT NULL DEFAULT 'nobody'";
const notes = { name: 'notes', versions: [first] };
const newerNotes = { name: 'notes', versions: [first, second] };

function open(file: string, ...tables: Parameters<typeof openDatabase>[1]): Database {
  const database = openDatabase(file, tables);
  atEnd(() => {
    database.close();
  });
  return database;
}

function add(database: Database, text: string): void {
  database.transaction(() => database.sql.prepare('INSERT INTO note (text) VALUES (?)').run(text));
}

function texts(database: Database): unknown[] {
  return database.sql
    .prepare('SELECT text FROM note ORDER BY text')
    .all()
    .map((row) => row.text);
}

describe('the database', () => {
  test('keeps what was committed, waits for the disk at each commit, and is nobody else’s to read', () => {
    const file = join(makeFolder(), 'host.db');
    const database = openDatabase(file, [notes]);
    expect(database.sql.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(database.sql.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
    expect(database.sql.prepare('PRAGMA foreign_keys').get()).toEqual({ foreign_keys: 1 });
    add(database, 'a');
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(file + suffix).mode & 0o777).toBe(0o600);
    database.close();
    database.close();
    expect(texts(open(file, notes))).toEqual(['a']);
  });

  test('rolls a transaction back as a whole when it throws', () => {
    const database = open(join(makeFolder(), 'host.db'), notes);
    expect(() =>
      database.transaction(() => {
        add(database, 'a');
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(texts(database)).toEqual([]);
    add(database, 'b');
    expect(texts(database)).toEqual(['b']);
  });

  test('joins a nested transaction, whose failure cannot be passed over', () => {
    const database = open(join(makeFolder(), 'host.db'), notes);
    const result = database.transaction(() => {
      add(database, 'a');
      return 7;
    });
    expect(result).toBe(7);
    expect(() => {
      database.transaction(() => {
        add(database, 'b');
        try {
          database.transaction(() => {
            throw new Error('inner');
          });
        } catch {
          // goes on as if nothing had been
        }
      });
    }).toThrow(expect.objectContaining({ type: 'internal' }));
    expect(texts(database)).toEqual(['a']);
  });

  test('refuses an asynchronous transaction, which would end before its work', () => {
    const database = open(join(makeFolder(), 'host.db'), notes);
    const act = () => {
      add(database, 'a');
      return Promise.resolve();
    };
    expect(() => void database.transaction(act)).toThrow(expect.objectContaining({ type: 'internal' }));
    expect(texts(database)).toEqual([]);
  });

  test('brings an older schema to the newest version, step by step, keeping the data', () => {
    const file = join(makeFolder(), 'host.db');
    const older = openDatabase(file, [notes]);
    add(older, 'a');
    older.close();
    const newer = open(file, newerNotes, { name: 'others', versions: ['CREATE TABLE other (n INTEGER) STRICT'] });
    expect(newer.sql.prepare('SELECT text, by FROM note').all()).toEqual([{ text: 'a', by: 'nobody' }]);
  });

  test('refuses the database of a newer program and leaves it as it is', () => {
    const file = join(makeFolder(), 'host.db');
    openDatabase(file, [newerNotes]).close();
    expect(() => openDatabase(file, [notes])).toThrow(
      expect.objectContaining({ type: 'too-old', message: expect.stringContaining('"notes" tables of version 2') }),
    );
    expect(open(file, newerNotes).sql.prepare('SELECT version FROM schema_version').get()).toEqual({ version: 2 });
  });

  test('leaves nothing of a schema whose script fails', () => {
    const file = join(makeFolder(), 'host.db');
    const broken = { name: 'notes', versions: [first, 'CREATE TABLE second (a) STRICT'] };
    expect(() => openDatabase(file, [broken])).toThrow('missing datatype');
    expect(texts(open(file, notes))).toEqual([]);
  });

  test('refuses a file that is no database', () => {
    const file = join(makeFolder(), 'host.db');
    writeFileSync(file, 'something that somebody wrote, longer than a head of a database'.repeat(20));
    expect(() => openDatabase(file, [notes])).toThrow(expect.objectContaining({ type: 'unknown-state' }));
    expect(readFileSync(file, 'utf8')).toContain('something');
  });

  (canMount ? test : test.skip)(
    `says disk-full when there is no space, and keeps what was there ${needsRoot}`,
    async () => {
      const folder = await mountAt('-t', 'tmpfs', '-o', 'size=256k', 'none');
      const database = open(join(folder, 'host.db'), notes);
      add(database, 'a');
      expect(() => {
        add(database, 'b'.repeat(300_000));
      }).toThrow(expect.objectContaining({ type: 'disk-full' }));
      expect(texts(database)).toEqual(['a']);
      database.close();
    },
  );
});
