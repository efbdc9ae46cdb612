import { SealiftError } from '../domain/error.ts';
import type { Mark } from '../storage/mark.ts';
import type { DeedRecord } from './record.ts';

/**
 * The mark that a fence of this record leaves beside its disks. It carries the record's token also on the way back, so that
 * a return which is given up leaves no mark that is newer than the record.
 */
export function markOf(record: DeedRecord, role: Mark['role']): Mark {
  const { lineage, token, vmUuid, vmName } = record;
  return { v: 1, lineage, token, role, vmUuid, vmName };
}

/** The mark of a copy that is fenced to leave: one that goes back before its accept stays a landing's, in case that it does not go. */
export function fenceMark(record: DeedRecord): Mark {
  return markOf(record, record.state === 'receiving' ? 'landing' : 'source');
}

/**
 * Compares the marks beside a VM's disks with its record. Throws 'unknown-state' when a mark is of another lineage, of a token
 * that the record has not reached (a database that was restored from a copy), or there is none but a mark is: nothing is
 * done then until a person has compared both hosts.
 */
export function checkMarks(record: DeedRecord | null, marks: readonly (Mark | null)[]): void {
  for (const mark of marks) {
    if (mark === null) continue;
    const found = `a mark of lineage ${mark.lineage}, token ${String(mark.token)}, ${mark.role}`;
    if (record === null) throw disagree(`${found}, but no record`);
    if (mark.lineage !== record.lineage) throw disagree(`${found}, but the record is of lineage ${record.lineage}`);
    if (mark.token > record.token) throw disagree(`${found}, but the record is at token ${String(record.token)}`);
  }
}

function disagree(what: string): SealiftError {
  return new SealiftError('unknown-state', `record and marks disagree: ${what}`);
}
