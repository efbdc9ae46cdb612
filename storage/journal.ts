import type { StatementSync } from 'node:sqlite';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { chunkBytes, chunkCount, chunkLength } from '../domain/chunks.ts';
import type { Database, TableSet } from './database.ts';

/** One row a chunk: some 50 bytes for 4 MiB of disk. */
export const journalTables: TableSet = {
  name: 'journal',
  versions: [
    `CREATE TABLE journal_run (
       id INTEGER PRIMARY KEY,
       role TEXT NOT NULL CHECK (role IN ('landing', 'source')),
       run TEXT NOT NULL,
       closed INTEGER NOT NULL DEFAULT 0,
       UNIQUE (role, run)
     ) STRICT;
     CREATE TABLE journal_disk (
       run_id INTEGER NOT NULL REFERENCES journal_run ON DELETE CASCADE,
       disk INTEGER NOT NULL,
       size_bytes INTEGER NOT NULL,
       PRIMARY KEY (run_id, disk)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE journal_chunk (
       run_id INTEGER NOT NULL,
       disk INTEGER NOT NULL,
       chunk INTEGER NOT NULL,
       digest BLOB NOT NULL CHECK (length(digest) = 32),
       zero INTEGER NOT NULL,
       read_back INTEGER NOT NULL DEFAULT 0,
       PRIMARY KEY (run_id, disk, chunk),
       FOREIGN KEY (run_id, disk) REFERENCES journal_disk ON DELETE CASCADE
     ) STRICT, WITHOUT ROWID`,
  ],
};

/** The place of a chunk: the disk's number in the manifest and the chunk's index in the disk. */
export interface ChunkPlace {
  disk: number;
  index: number;
}
/** A chunk and the SHA-256 of its plain content. */
export interface ChunkContent extends ChunkPlace {
  digest: Buffer;
}
export interface JournalEntry extends ChunkContent {
  zero: boolean;
}
export interface HeldChunk {
  index: number;
  digest: Buffer;
  zero: boolean;
  readBack: boolean;
}
export interface JournalTotals {
  disk: number;
  heldChunks: number;
  heldBytes: number;
  readBackChunks: number;
  readBackBytes: number;
}
export interface JournalDisk {
  disk: number;
  sizeBytes: number;
}

/**
 * The durable record of which chunks are where they belong, per run (`<lineage>/<token>`). At a landing (`landing`) a chunk
 * is recorded after its data was synced, and this is the truth about progress; at a source (`source`) it keeps the digests
 * of what was read. Every method is one transaction, durable when it returns. All but `open` throw `unknown-run` for a run
 * that was never opened.
 */
export class Journal {
  readonly #database: Database;
  readonly #role: 'landing' | 'source';
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: Database, role: 'landing' | 'source' = 'landing') {
    this.#database = database;
    this.#role = role;
  }

  /** Makes the run known with its disks; doing it again is fine, with other disks it is `unknown-state`. */
  open(run: string, disks: readonly JournalDisk[]): void {
    this.#database.transaction(() => {
      this.#sql('INSERT INTO journal_run (role, run) VALUES (?, ?) ON CONFLICT DO NOTHING').run(this.#role, run);
      const known = this.disks(run);
      if (known.length > 0) {
        const sizes = new Map(known.map(({ disk, sizeBytes }) => [disk, sizeBytes]));
        if (known.length === disks.length && disks.every(({ disk, sizeBytes }) => sizes.get(disk) === sizeBytes))
          return;
        throw new SealiftError('unknown-state', `run ${run} is in the journal with other disks`);
      }
      const { id } = this.#find(run);
      for (const { disk, sizeBytes } of disks) {
        this.#sql('INSERT INTO journal_disk VALUES (?, ?, ?)').run(id, disk, sizeBytes);
      }
    });
  }

  /** The disks that the run was opened with. */
  disks(run: string): JournalDisk[] {
    const { id } = this.#find(run);
    return this.#sql('SELECT disk, size_bytes AS sizeBytes FROM journal_disk WHERE run_id = ? ORDER BY disk')
      .all(id)
      .map((row) => diskRow.parse(row));
  }

  /**
   * Records chunks, all or none; the caller has synced their data. A chunk recorded before takes the new digest and is no
   * longer read back. Throws `run-closed` after `close`, `bad-frame` for a place outside the run's disks.
   */
  record(run: string, entries: readonly JournalEntry[]): void {
    this.#database.transaction(() => {
      const { id, closed } = this.#find(run);
      if (closed) throw new SealiftError('run-closed', `the journal of run ${run} is closed`);
      const sizes = new Map(this.disks(run).map(({ disk, sizeBytes }) => [disk, sizeBytes]));
      for (const { disk, index, digest, zero } of entries) {
        if (!Number.isInteger(index) || index < 0 || index >= chunkCount(sizes.get(disk) ?? 0)) {
          throw new SealiftError('bad-frame', `run ${run} has no chunk ${String(index)} of disk ${String(disk)}`);
        }
        this.#sql(
          `INSERT INTO journal_chunk VALUES (?, ?, ?, ?, ?, 0)
           ON CONFLICT DO UPDATE SET digest = excluded.digest, zero = excluded.zero, read_back = 0`,
        ).run(id, disk, index, digest, zero ? 1 : 0);
      }
    });
  }

  /**
   * Marks chunks as read back from the device with `digest`. A chunk that is recorded with another digest, or no longer,
   * is left as it is; the answer lists those places.
   */
  markReadBack(run: string, entries: readonly ChunkContent[]): ChunkPlace[] {
    return this.#database.transaction(() => {
      const { id } = this.#find(run);
      const others: ChunkPlace[] = [];
      for (const { disk, index, digest } of entries) {
        const { changes } = this.#sql(
          'UPDATE journal_chunk SET read_back = 1 WHERE run_id = ? AND disk = ? AND chunk = ? AND digest = ?',
        ).run(id, disk, index, digest);
        if (changes !== 1) others.push({ disk, index });
      }
      return others;
    });
  }

  /** Takes chunks out: they have to be sent again. */
  drop(run: string, entries: readonly ChunkPlace[]): void {
    this.#database.transaction(() => {
      const { id } = this.#find(run);
      for (const { disk, index } of entries) {
        this.#sql('DELETE FROM journal_chunk WHERE run_id = ? AND disk = ? AND chunk = ?').run(id, disk, index);
      }
    });
  }

  /** The disk's chunks in order of their index. The journal may change while one goes through it: no chunk comes twice. */
  *held(run: string, disk: number): IterableIterator<HeldChunk> {
    const { id } = this.#find(run);
    let last = -1;
    for (;;) {
      const rows = this.#sql(
        `SELECT chunk, digest, zero, read_back AS readBack FROM journal_chunk
         WHERE run_id = ? AND disk = ? AND chunk > ? ORDER BY chunk LIMIT ${String(pageRows)}`,
      ).all(id, disk, last);
      for (const row of rows) {
        const { chunk, digest, zero, readBack } = row as unknown as ChunkRow;
        last = chunk;
        const bytes = Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength);
        yield { index: chunk, digest: bytes, zero: zero === 1, readBack: readBack === 1 };
      }
      if (rows.length < pageRows) return;
    }
  }

  /** Whether any chunk of the run is held. */
  holds(run: string): boolean {
    const { id } = this.#find(run);
    return this.#sql('SELECT 1 FROM journal_chunk WHERE run_id = ? LIMIT 1').get(id) !== undefined;
  }

  /** Per disk of the run, also of those without a chunk yet: how much is held and how much of it was read back. */
  totals(run: string): JournalTotals[] {
    const { id } = this.#find(run);
    return this.disks(run).map(({ disk, sizeBytes }) => {
      const last = chunkCount(sizeBytes) - 1;
      const missing = chunkBytes - chunkLength(sizeBytes, last);
      const row = this.#sql(
        `SELECT count(*) AS held, coalesce(sum(read_back), 0) AS readBack,
           coalesce(sum(chunk = ?3), 0) AS lastHeld, coalesce(sum(chunk = ?3 AND read_back), 0) AS lastReadBack
         FROM journal_chunk WHERE run_id = ?1 AND disk = ?2`,
      ).get(id, disk, last);
      const { held, readBack, lastHeld, lastReadBack } = totalsRow.parse(row);
      return {
        disk,
        heldChunks: held,
        heldBytes: held * chunkBytes - lastHeld * missing,
        readBackChunks: readBack,
        readBackBytes: readBack * chunkBytes - lastReadBack * missing,
      };
    });
  }

  /**
   * Moves the chunks of an earlier run to a later one that took over its disks (those of the same number and size), as not
   * read back; what the later run has already stays. The earlier run is closed and keeps none of them.
   */
  adopt(fromRun: string, toRun: string): void {
    this.#database.transaction(() => {
      const from = this.#find(fromRun);
      const to = this.#find(toRun);
      if (from.id === to.id) throw new SealiftError('internal', `run ${toRun} cannot take over its own chunks`);
      if (to.closed) throw new SealiftError('run-closed', `the journal of run ${toRun} is closed`);
      this.close(fromRun);
      const sizes = new Map(this.disks(fromRun).map(({ disk, sizeBytes }) => [disk, sizeBytes]));
      for (const { disk, sizeBytes } of this.disks(toRun)) {
        if (sizes.get(disk) !== sizeBytes) continue;
        this.#sql(
          `INSERT INTO journal_chunk SELECT ?, disk, chunk, digest, zero, 0 FROM journal_chunk
           WHERE run_id = ? AND disk = ? ON CONFLICT DO NOTHING`,
        ).run(to.id, from.id, disk);
        this.#sql('DELETE FROM journal_chunk WHERE run_id = ? AND disk = ?').run(from.id, disk);
      }
    });
  }

  /** From here on `record` is refused, durably; chunks stay, and can still be read back and dropped. */
  close(run: string): void {
    this.#setClosed(run, 1);
  }

  /** Lets `record` in again: chunks turned out to be missing before READY was signed, which the caller makes sure of. */
  reopen(run: string): void {
    this.#setClosed(run, 0);
  }

  isClosed(run: string): boolean {
    return this.#find(run).closed;
  }

  /** Removes all that is known of the run; it need not be there. */
  forget(run: string): void {
    this.#database.transaction(() => {
      this.#sql('DELETE FROM journal_run WHERE role = ? AND run = ?').run(this.#role, run);
    });
  }

  #setClosed(run: string, closed: 0 | 1): void {
    this.#database.transaction(() => {
      const { id } = this.#find(run);
      this.#sql('UPDATE journal_run SET closed = ? WHERE id = ?').run(closed, id);
    });
  }

  #find(run: string): { id: number; closed: boolean } {
    const row = this.#sql('SELECT id, closed FROM journal_run WHERE role = ? AND run = ?').get(this.#role, run);
    if (row === undefined) throw new SealiftError('unknown-run', `run ${run} is not in the journal`);
    const { id, closed } = runRow.parse(row);
    return { id, closed: closed === 1 };
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.sql.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

/** Chunks read at a time: about a quarter of a megabyte of rows. */
const pageRows = 1024;

const runRow = z.object({ id: z.int(), closed: z.int() });
const diskRow = z.object({ disk: z.int(), sizeBytes: z.int() });
const totalsRow = z.object({ held: z.int(), readBack: z.int(), lastHeld: z.int(), lastReadBack: z.int() });
/** Trusted without a check, unlike the rest: hundreds of thousands of rows, and STRICT tables keep their types. */
interface ChunkRow {
  chunk: number;
  digest: Uint8Array;
  zero: number;
  readBack: number;
}
