import { receipt as receiptSchema } from '../domain/receipt.ts';
import type { Receipt } from '../domain/receipt.ts';
import { canonicalJson } from '../seal/canonical.ts';
import type { Database, TableSet } from '../storage/database.ts';

/** Receipts outlive Temporal's retention: both hosts keep them. */
export const receiptTables: TableSet = {
  name: 'receipt',
  versions: [
    `CREATE TABLE receipt (
       migration_id TEXT PRIMARY KEY,
       vm_uuid TEXT NOT NULL,
       vm_name TEXT NOT NULL,
       body TEXT NOT NULL
     ) STRICT, WITHOUT ROWID`,
  ],
};

/** Keeps a receipt in the place of what was kept of the same migration. */
export function keepReceipt(database: Database, receipt: Receipt): void {
  const { migrationId, vmUuid, vmName } = receipt.body;
  database.transaction(() => {
    database.sql
      .prepare('INSERT INTO receipt VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body')
      .run(migrationId, vmUuid, vmName, canonicalJson(receipt));
  });
}

/** Receipts of a VM (name or uuid) or of a migration, or all. */
export function receiptsOf(
  database: Database,
  which: { vm?: string | undefined; migrationId?: string | undefined },
): Receipt[] {
  return database.sql
    .prepare(
      `SELECT body FROM receipt
       WHERE (?1 IS NULL OR vm_uuid = ?1 OR vm_name = ?1) AND (?2 IS NULL OR migration_id = ?2)`,
    )
    .all(which.vm ?? null, which.migrationId ?? null)
    .map((row) => receiptSchema.parse(JSON.parse(String(row.body))));
}
