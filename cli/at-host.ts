import { pino } from 'pino';
import type { Host } from '../activities/host.ts';
import type { DeedReport } from '../domain/deed-report.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import type { Cli } from './cli.ts';

/**
 * Acts as the host of a file, whose worker must not run meanwhile, and answers with what `act` says and with this host's side of the
 * VM's deed afterwards. Throws `state-locked` while a worker owns the host.
 */
export async function atHost(
  cli: Cli,
  ask: { file: string; vm: string },
  act: (host: Host) => Promise<string[]>,
): Promise<void> {
  // Loaded here: what knows the hosts' steps takes a second, and no other command needs it.
  const { closeHost, onlookerOf, openHost } = await import('../activities/host.ts');
  const { deedReport } = await import('../activities/deed-report.ts');
  const log = pino(
    { level: cli.io.env.SEALIFT_LOG ?? 'silent', base: null },
    pino.destination({ dest: 2, sync: true }),
  );
  const host = await openHost(ask.file, log).catch(explained);
  try {
    const lines = await act(host);
    const report = await deedReport(onlookerOf(host), { vm: ask.vm, peers: [] });
    cli.answer({ reports: report === null ? [] : [report satisfies DeedReport], away: [] }, lines);
  } finally {
    await closeHost(host);
  }
}

function explained(error: unknown): never {
  if (!isSealiftError(error) || error.type !== 'state-locked') throw error;
  throw new SealiftError(error.type, error.message, {
    hint: "stop this host's worker first: systemctl stop sealift-host (its VMs run on)",
    cause: error,
  });
}
