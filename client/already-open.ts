import type { MigrationStatus } from '../domain/migration.ts';
import { SealiftError } from '../domain/error.ts';

/** What to throw when Temporal has an open workflow of the VM: it is named as people know it, when it tells what it is. */
export function alreadyOpen(status: MigrationStatus | null, error: SealiftError): SealiftError {
  if (status === null) return error;
  const { kind, vmName, from, to, migrationId } = status;
  const what = kind === 'migrate' ? 'move' : kind;
  const other = kind === 'migrate' ? `; --supersede ${migrationId} takes its place` : '';
  return new SealiftError('already-migrating', `a ${what} of ${vmName} is open, from ${from} to ${to}`, {
    hint: `sealift watch ${vmName} follows it; sealift abort ${vmName} ends it${other}`,
    cause: error,
  });
}
