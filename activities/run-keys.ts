import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { here } from '../dom0/local.ts';
import type { Deeds } from '../deed/deeds.ts';
import type { DeedRun } from '../deed/record.ts';
import type { HostFile } from '../domain/host-file.ts';
import { newRunKey } from '../seal/run-key.ts';
import { removeFileDurably, writeFileDurably } from '../storage/durable-file.ts';
import { runKeyFolder } from './folders.ts';

/** Whose keys they are, and where they lie. */
interface Keeper {
  deeds: Deeds;
  file: HostFile;
}

/** Draws a run's key pair and keeps its secret, durably, before anything is signed about it; returns the recipient. */
export async function drawRunKey({ file }: Keeper): Promise<string> {
  const { secret, recipient } = await newRunKey();
  await writeFileDurably(here, secretPath(file, recipient), secret, 0o600);
  return recipient;
}

/** The secret half of a run's key. Fails with the system's error when it was removed. */
export function readRunSecret({ file }: Keeper, recipient: string): Promise<string> {
  return readFile(secretPath(file, recipient), 'utf8');
}

/** Removes a secret, durably: no session that was wrapped to it can be opened any more. */
export function dropSecret({ file }: Keeper, recipient: string): Promise<void> {
  return removeFileDurably(here, secretPath(file, recipient));
}

/** Removes the secret half of a run's key: the run has ended, and no session of it may ever be opened again. */
export async function dropRunSecret(keeper: Keeper, run: DeedRun): Promise<void> {
  for (const recipient of recipientsOf(keeper, run)) await dropSecret(keeper, recipient);
}

/** The same for all runs of a VM that have ended here, whatever ended them. */
export async function dropEndedSecrets(keeper: Keeper, lineage: string): Promise<void> {
  for (const run of keeper.deeds.runs(lineage)) {
    if (!isLanding(run)) await dropRunSecret(keeper, run);
  }
}

/**
 * Removes every secret that no open landing names: of runs whose end was cut short, and of keys that no run came to. Only while
 * no step runs: a key is drawn before its run is received.
 */
export async function sweepRunSecrets(keeper: Keeper): Promise<void> {
  const needed = new Set(
    keeper.deeds
      .openRuns()
      .filter(isLanding)
      .flatMap((run) => recipientsOf(keeper, run)),
  );
  for (const name of await readdir(runKeyFolder(keeper.file))) {
    if (!needed.has(name)) await dropSecret(keeper, name);
  }
}

function isLanding(run: DeedRun): boolean {
  return run.role === 'destination' && run.state === 'open';
}

/** The key that this host signed for the run; none where it is the source. */
function recipientsOf({ deeds }: Keeper, run: DeedRun): string[] {
  if (run.role !== 'destination') return [];
  return deeds
    .statements(run.lineage)
    .map(({ statement: { body } }) => (body.kind === 'key' && body.token === run.token ? body.recipient : null))
    .filter((recipient) => recipient !== null);
}

function secretPath(file: HostFile, recipient: string): string {
  return join(runKeyFolder(file), recipient);
}
