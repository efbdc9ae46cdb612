import type { Database, TableSet } from './database.ts';

/** The state folder of one host, opened. */
export interface StateFolder {
  /** Its real path. */
  readonly folder: string;
  readonly database: Database;
  /** Drawn when the state was made; two folders never share it, except copies. */
  readonly instance: string;
}

/** What the state folder knows of itself; `host-state.ts` and `owner.ts` say which facts there are. */
export const factTables: TableSet = {
  name: 'host',
  versions: ['CREATE TABLE host_fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT'],
};

/** A fact that the state keeps about its host, or null. */
export function getFact(database: Database, name: string): string | null {
  const value = database.sql.prepare('SELECT value FROM host_fact WHERE name = ?').get(name)?.value;
  return typeof value === 'string' ? value : null;
}

/** Keeps a fact; returns its value. */
export function setFact(database: Database, name: string, value: string): string {
  database.transaction(() => {
    database.sql
      .prepare('INSERT INTO host_fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value')
      .run(name, value);
  });
  return value;
}
