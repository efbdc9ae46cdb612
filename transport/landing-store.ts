import type { Database, TableSet } from '../storage/database.ts';

export const landingTables: TableSet = {
  name: 'landing',
  versions: ['CREATE TABLE landing_run (run TEXT PRIMARY KEY, manifest BLOB) STRICT'],
};

/** What a landing keeps of its runs beside the journal. */
export class LandingStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether no landing on this host has taken bytes for the run before; from now on one has. */
  isFirst(run: string): boolean {
    return this.#database.transaction(
      () =>
        this.#database.sql.prepare('INSERT INTO landing_run (run) VALUES (?) ON CONFLICT DO NOTHING').run(run)
          .changes === 1,
    );
  }

  keepManifest(run: string, bytes: Buffer): void {
    this.#database.transaction(() => {
      this.#database.sql
        .prepare('INSERT INTO landing_run VALUES (?, ?) ON CONFLICT (run) DO UPDATE SET manifest = excluded.manifest')
        .run(run, bytes);
    });
  }

  manifest(run: string): Buffer | null {
    const found = this.#database.sql.prepare('SELECT manifest FROM landing_run WHERE run = ?').get(run)?.manifest;
    return found instanceof Uint8Array ? Buffer.from(found.buffer, found.byteOffset, found.byteLength) : null;
  }
}

/** Removes what a landing kept of a run, for garbage collection. */
export function removeLandingRun(database: Database, run: string): void {
  database.transaction(() => {
    database.sql.prepare('DELETE FROM landing_run WHERE run = ?').run(run);
  });
}
