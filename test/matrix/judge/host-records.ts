import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { allRecords, allRuns } from '../../../deed/record.ts';
import type { DeedRecord, DeedRun } from '../../../deed/record.ts';
import type { TestHost } from '../../support/world.ts';

/** What a host has written down, read past its worker. */
export interface HostRecords {
  name: string;
  records: DeedRecord[];
  runs: DeedRun[];
  /** Commands that it began and does not know to have ended, by lineage. */
  intents: { lineage: string; what: string }[];
  /** How many chunks each journal has, by `<role> <lineage>/<token>`. */
  journals: Map<string, number>;
}

/** Reads a host's database as a stranger: its worker may live, or be dead. */
export function readHostRecords({ host }: TestHost): HostRecords {
  const sql = new DatabaseSync(join(host.filePath, '../state/host.db'), { readOnly: true, timeout: 5_000 });
  try {
    sql.exec('BEGIN');
    return {
      name: host.name,
      records: allRecords(sql),
      runs: allRuns(sql, null),
      intents: sql
        .prepare('SELECT lineage, what FROM deed_intent')
        .all()
        .map(({ lineage, what }) => ({ lineage: String(lineage), what: String(what) })),
      journals: new Map(
        sql
          .prepare(
            `SELECT role, run, count(chunk) AS chunks FROM journal_run LEFT JOIN journal_chunk ON run_id = id
             GROUP BY role, run`,
          )
          .all()
          .map(({ role, run, chunks }) => [`${String(role)} ${String(run)}`, Number(chunks)]),
      ),
    };
  } finally {
    sql.close();
  }
}
