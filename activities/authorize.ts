import type { Deeds } from '../deed/deeds.ts';
import type { HostFile } from '../domain/host-file.ts';
import type { Session, Signed } from '../domain/statement.ts';
import { sessionKeys } from '../seal/session.ts';
import { unwrapSessionKey } from '../seal/wrap.ts';
import { innerAddresses } from '../transport/ipsec/inner-address.ts';
import type { LandingRun } from '../transport/landing.ts';
import { runName } from './folders.ts';
import { requireLanding } from './landing-disks.ts';
import { readNotes } from './notes.ts';
import { readRunSecret } from './run-keys.ts';

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
  const secret = await readRunSecret(host, session.body.recipient);
  const key = await unwrapSessionKey(session.body.wrapped, secret);
  return {
    run: runName(run),
    keys: sessionKeys(key, session.body, run.method),
    number: session.body.number,
    ...(run.method === 'tunnel' ? { inside: innerAddresses(runName(run)).destination } : {}),
    disks,
  };
}
