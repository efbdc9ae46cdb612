import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { types } from 'node:util';
import { errorCode } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { fatalError } from './fatal.ts';

/** The tables of one library. `versions[n]` is the SQL that brings version n to n + 1; released scripts never change. */
export interface TableSet {
  readonly name: string;
  readonly versions: readonly string[];
}

export interface Database {
  readonly sql: DatabaseSync;
  /**
   * Runs `act` as one durable transaction and returns what it returns; it is on disk then. A throw rolls all of it back.
   * A call inside another joins it, and its failure fails the whole, also when the outer `act` catches it.
   * Throws `disk-full`, or a fatal `disk-io` (storage/fatal.ts).
   */
  transaction<T>(act: () => T): T;
  close(): void;
}

/**
 * Opens or makes the SQLite database `file` (mode 0600; WAL, `synchronous=FULL`, foreign keys) and brings every table set
 * to its newest version. Throws `too-old` when the file was made by a newer program, `unknown-state` when it is no database.
 */
export function openDatabase(file: string, tables: readonly TableSet[]): Database {
  createPrivately(file);
  let sql: DatabaseSync | undefined;
  try {
    sql = new DatabaseSync(file, { timeout: 5_000, enableForeignKeyConstraints: true });
    sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    const database = new OpenDatabase(sql);
    database.transaction(() => {
      for (const set of tables) upgrade(database.sql, set, file);
    });
    return database;
  } catch (error) {
    sql?.close();
    if (sqliteCode(error) === sqlite.notADatabase || sqliteCode(error) === sqlite.corrupt) {
      throw new SealiftError('unknown-state', `${file} is not a sound database`, { cause: error });
    }
    throw error;
  }
}

/**
 * A copy in memory of what the database `file` holds in `tables`, also while another process owns and writes it: for questions, and
 * for trying steps out. Nothing done to it reaches the file. Throws `unknown-state` when there is no such database, `too-old` when it
 * was made by another version.
 */
export function openSnapshot(file: string, tables: readonly TableSet[]): Database {
  const sql = new DatabaseSync(':memory:');
  try {
    for (const set of tables) upgrade(sql, set, file);
    sql.prepare('ATTACH DATABASE ? AS host').run(`${pathToFileURL(file).href}?mode=ro`);
    sql.exec('BEGIN; PRAGMA defer_foreign_keys = ON');
    for (const { name, versions } of tables) {
      const found = sql.prepare('SELECT version FROM host.schema_version WHERE name = ?').get(name)?.version;
      if (found === versions.length) continue;
      throw new SealiftError('too-old', `${file} has "${name}" tables of another version`, {
        hint: 'start the worker of this host once: it brings them up to date',
      });
    }
    const names = sql.prepare(`SELECT name FROM main.sqlite_schema WHERE type = 'table'`).all();
    for (const name of names.map((row) => String(row.name))) {
      if (name === 'schema_version' || name.startsWith('sqlite_')) continue;
      sql.exec(`INSERT INTO main."${name}" SELECT * FROM host."${name}"`);
    }
    sql.exec('COMMIT; DETACH DATABASE host');
    return new OpenDatabase(sql);
  } catch (error) {
    sql.close();
    if (isSealiftError(error)) throw error;
    throw new SealiftError('unknown-state', `the database ${file} cannot be read`, { cause: error });
  }
}

class OpenDatabase implements Database {
  readonly sql: DatabaseSync;
  #depth = 0;
  #failed = false;

  constructor(sql: DatabaseSync) {
    this.sql = sql;
  }

  transaction<T>(act: () => T): T {
    if (this.#depth > 0) return this.#join(act);
    this.#failed = false;
    try {
      this.sql.exec('BEGIN IMMEDIATE');
      const result = this.#join(act);
      this.#requireWhole();
      this.sql.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors of the disk.
      if (this.sql.isTransaction) this.sql.exec('ROLLBACK');
      throw diskTrouble(error);
    }
  }

  #requireWhole(): void {
    if (this.#failed) throw new SealiftError('internal', 'a part of the transaction failed and was passed over');
  }

  #join<T>(act: () => T): T {
    this.#depth += 1;
    try {
      const result = act();
      if (types.isPromise(result)) throw new SealiftError('internal', 'a transaction cannot wait for a promise');
      return result;
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  close(): void {
    if (this.sql.isOpen) this.sql.close();
  }
}

function upgrade(sql: DatabaseSync, set: TableSet, file: string): void {
  sql.exec('CREATE TABLE IF NOT EXISTS schema_version (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT');
  const found = sql.prepare('SELECT version FROM schema_version WHERE name = ?').get(set.name)?.version;
  const version = typeof found === 'number' ? found : 0;
  if (version > set.versions.length) {
    throw new SealiftError(
      'too-old',
      `${file} has "${set.name}" tables of version ${String(version)}, this program knows up to ${String(set.versions.length)}`,
      { hint: 'run the newer sealift that this state folder was last used with' },
    );
  }
  for (const script of set.versions.slice(version)) sql.exec(script);
  sql
    .prepare('INSERT INTO schema_version VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version')
    .run(set.name, set.versions.length);
}

/** Makes an empty file of mode 0600: SQLite would make it readable by others. An existing file is not opened: closing it would drop SQLite's locks. */
export function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

/** Primary result codes of SQLite, https://www.sqlite.org/rescode.html */
const sqlite = { busy: 5, ioError: 10, corrupt: 11, full: 13, notADatabase: 26 } as const;

/** Whether SQLite gave up because another connection holds a lock. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error) === sqlite.busy;
}

function sqliteCode(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return 0;
  // The upper bits are the extended code.
  return typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
}

function diskTrouble(error: unknown): unknown {
  if (sqliteCode(error) === sqlite.full) {
    return new SealiftError('disk-full', "no space left for the host's database", { cause: error });
  }
  if (sqliteCode(error) === sqlite.ioError) {
    return fatalError("the host's database could not be written", error);
  }
  return error;
}
