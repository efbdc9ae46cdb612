import { rm, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deeds } from '../deed/deeds.ts';
import type { DeedRun } from '../deed/record.ts';
import type { HostFile } from '../domain/host-file.ts';
import type { Session, Signed } from '../domain/statement.ts';
import { sessionContext } from '../seal/session.ts';
import { unwrapSessionKey } from '../seal/wrap.ts';
import type { LandingRun } from '../transport/landing.ts';
import { runKeyFolder } from './folders.ts';
import { requireLanding } from './landing-disks.ts';
import { readNotes } from './notes.ts';

/**
 * Decides by this host's own record whether a session may land, and opens its key. Throws `bad-statement`, `unknown-run`,
 * `run-closed`, `stale-session`, `unknown-state` or `tag-mismatch`; nothing of the key gets into an error.
 */
export async function authorizeSession(
  host: { deeds: Deeds; file: HostFile },
  shown: Signed<Session>,
): Promise<LandingRun> {
  const { run, session } = host.deeds.acceptSession(shown);
  const { disks } = readNotes(host.deeds, run.migrationId);
  await requireLanding(run.lineage, disks);
  const secret = await readFile(join(runKeyFolder(host.file), session.body.recipient), 'utf8');
  const key = await unwrapSessionKey(session.body.wrapped, secret);
  return {
    run: runName(run),
    keys: { key, context: sessionContext(session.body, run.method) },
    number: session.body.number,
    disks,
  };
}

/** A run's name in the journals. */
export function runName(run: { lineage: string; token: number }): string {
  return `${run.lineage}/${String(run.token)}`;
}

/** Removes the secret half of a run's key: the run has ended, and no session of it may ever be opened again. */
export async function dropRunSecret(host: { deeds: Deeds; file: HostFile }, run: DeedRun): Promise<void> {
  for (const { statement } of host.deeds.statements(run.lineage)) {
    const { body } = statement;
    if (body.kind !== 'key' || body.token !== run.token) continue;
    await rm(join(runKeyFolder(host.file), body.recipient), { force: true });
  }
}
