import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SealiftError } from '../domain/error.ts';
import { createPrivately, isBusy, openDatabase } from './database.ts';
import type { Database, TableSet } from './database.ts';
import { factTables, getFact, setFact } from './facts.ts';
import type { StateFolder } from './facts.ts';

export { claimDom0 } from './owner.ts';

/** The state of one host, owned by this process until it closes it or dies. */
export interface HostState extends StateFolder {
  close(): void;
}

/**
 * Opens or makes the state of a host in `folder` (mode 0700): its database `host.db` with `tables`, held by a lock of the kernel
 * that ends with this process, however it ends. Throws `state-locked` when another process (or another opening in this one) has
 * it, `copied-host` when `host.db` is not the file that was made here, and what `openDatabase` throws.
 */
export function openHostState(folder: string, tables: readonly TableSet[]): HostState {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const real = realpathSync(folder);
  const lock = takeLock(real);
  let database: Database | undefined;
  try {
    database = openDatabase(join(real, 'host.db'), [factTables, ...tables]);
    return new OwnedState(real, database, lock, knowItself(real, database));
  } catch (error) {
    database?.close();
    lock.close();
    throw error;
  }
}

class OwnedState implements HostState {
  readonly folder: string;
  readonly database: Database;
  readonly instance: string;
  readonly #lock: DatabaseSync;

  constructor(folder: string, database: Database, lock: DatabaseSync, instance: string) {
    this.folder = folder;
    this.database = database;
    this.instance = instance;
    this.#lock = lock;
  }

  close(): void {
    this.database.close();
    if (this.#lock.isOpen) this.#lock.close();
  }
}

/**
 * SQLite's own lock on a second file, never released until the end. The file must not be opened by anything else in
 * this process: closing any descriptor of it would drop the lock.
 */
function takeLock(folder: string): DatabaseSync {
  const file = join(folder, 'lock');
  createPrivately(file);
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw new SealiftError('state-locked', `another process owns the state in ${folder}`, {
      hint: 'stop the other worker of this host first; if it died, wait until its process is gone',
      cause: error,
    });
  }
}

/**
 * The instance of the state. A copy, or an older database put back from a backup, is another file than the one that was made:
 * its records may say what is no longer true, and who holds a VM must not rest on them.
 */
function knowItself(folder: string, database: Database): string {
  const file = join(folder, 'host.db');
  const inode = String(statSync(file, { bigint: true }).ino);
  return database.transaction(() => {
    const madeAs = getFact(database, 'inode') ?? setFact(database, 'inode', inode);
    if (madeAs !== inode) {
      throw new SealiftError('copied-host', `${file} is a copy: it was made as inode ${madeAs} and is ${inode}`);
    }
    return getFact(database, 'instance') ?? setFact(database, 'instance', randomUUID());
  });
}
