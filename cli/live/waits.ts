import type { MigrationStatus } from '../../client/index.ts';

/**
 * Whether a migration goes on only when a person acts: then its lines begin with the commands that end the wait. A host that is
 * away, a step that is tried again and a cutover window end by themselves.
 */
export function waitsForPerson(status: MigrationStatus): boolean {
  return status.phase === 'waits' && status.waits.some((line) => line.startsWith('sealift '));
}
