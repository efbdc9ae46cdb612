import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';

const deedEvent = z.strictObject({
  /** ISO 8601, this host's clock; nothing is decided by it. */
  at: z.string(),
  who: z.string(),
  what: z.string(),
  lineage: z.string(),
  detail: z.string(),
});
/** Something that a person chose: an adoption, a forced stop, the end of a hold, a removal. Never deleted. */
export type DeedEvent = z.infer<typeof deedEvent>;

export function logEvent(sql: DatabaseSync, event: Omit<DeedEvent, 'at'>): void {
  sql
    .prepare('INSERT INTO deed_log (at, who, what, lineage, detail) VALUES (?, ?, ?, ?, ?)')
    .run(new Date().toISOString(), event.who, event.what, event.lineage, event.detail);
}

/** All events, or those of a lineage, in order. */
export function loggedEvents(sql: DatabaseSync, lineage: string | null): DeedEvent[] {
  return sql
    .prepare('SELECT at, who, what, lineage, detail FROM deed_log WHERE ?1 IS NULL OR lineage = ?1 ORDER BY id')
    .all(lineage)
    .map((found) => deedEvent.parse(found));
}
