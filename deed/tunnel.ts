import { protocolVersion } from '../domain/protocol.ts';
import type { Signed, Tunnel } from '../domain/statement.ts';
import { findOfMigration, guard, refuseClosed } from './desk.ts';
import type { Desk } from './desk.ts';
import type { DeedRun } from './record.ts';
import { checkStatement, signStatement } from './statement.ts';

/** Signs the public key of this host's end of the run's tunnel. It is not kept: nothing about the deed follows from it. */
export function signTunnel(desk: Desk, migrationId: string, publicKey: string): Signed<Tunnel> {
  const { lineage, token, peer: to } = crossing(desk, migrationId);
  const from = desk.identity.name;
  return signStatement(desk.identity, { v: protocolVersion, lineage, from, to, token, kind: 'tunnel', publicKey });
}

/** Takes the other end's. Throws 'bad-statement' unless the run's peer signed it for this run. */
export function checkTunnel(desk: Desk, migrationId: string, tunnel: unknown): Signed<Tunnel> {
  const { lineage, token, peer: from } = crossing(desk, migrationId);
  return checkStatement(tunnel, { kind: 'tunnel', from, to: desk.identity.name, lineage, token });
}

/** A run whose bytes may cross now, and by a tunnel: so says its signed offer. */
function crossing(desk: Desk, migrationId: string): DeedRun {
  const { run } = findOfMigration(desk, migrationId);
  refuseClosed('tunnel', run);
  guard('tunnel', 'run', run.state, 'open');
  guard('tunnel', 'method', run.method, 'tunnel');
  return run;
}
