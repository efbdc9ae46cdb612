import { setTimeout as sleep } from 'node:timers/promises';
import type { Intent } from '../deed/intents.ts';
import { intentEnvironment, orphansOf } from '../deed/orphans.ts';
import { SealiftError } from '../domain/error.ts';
import type { Host } from './host.ts';

/** The last step that works on each VM of this process, by lineage. */
const turns = new Map<string, Promise<void>>();
/** An orphan of a killed worker is waited for at least so long. */
const orphanLimitMs = 120_000;
/** And longer than any xl command may last, in its usual limits: `create` has four of them. */
const orphanLimits = 5;

/**
 * Runs steps on a VM's domain and storage one after another, however many attempts of them are under way; before each,
 * waits until commands that a dead worker left behind have ended, so that nothing takes effect late, and ends their intents.
 * Throws `xl-hangs` when such a command does not end.
 */
export async function inTurn<Result>(host: Host, lineage: string, step: () => Promise<Result>): Promise<Result> {
  const before = turns.get(lineage) ?? Promise.resolve();
  const mine = before.then(async () => {
    await settle(host, lineage);
    return step();
  });
  const done = mine.then(
    () => undefined,
    () => undefined,
  );
  turns.set(lineage, done);
  try {
    return await mine;
  } finally {
    if (turns.get(lineage) === done) turns.delete(lineage);
  }
}

/** Resolves when no step works on any VM, or after `limitMs`: crash-safe as they are, steps are better ended than cut. */
export async function idle(limitMs: number): Promise<void> {
  await Promise.race([Promise.all([...turns.values()]), sleep(limitMs, undefined, { ref: false })]);
}

/**
 * Runs the command of an intent, with the environment for its programs, and ends the intent with it, whether it succeeded or
 * not. When it failed and a process of it lives on, as one may after `xl-hangs`, the intent stays open: the next step waits.
 */
export async function ending<Result>(
  host: Host,
  intent: Intent,
  command: (env: Record<string, string>) => Promise<Result>,
): Promise<Result> {
  try {
    const result = await command(intentEnvironment(intent));
    host.deeds.endIntent(intent.id, true);
    return result;
  } catch (error) {
    if ((await orphansOf(intent.lineage, intent.id)).length === 0) host.deeds.endIntent(intent.id, false);
    throw error;
  }
}

async function settle(host: Host, lineage: string): Promise<void> {
  const left = host.deeds.intents(lineage);
  const limitMs = Math.max(orphanLimitMs, orphanLimits * host.file.xen.limit_seconds * 1_000);
  const deadline = performance.now() + limitMs;
  for (;;) {
    const [orphan] = await orphansOf(lineage);
    if (orphan === undefined) break;
    if (performance.now() > deadline) {
      throw new SealiftError(
        'xl-hangs',
        `${orphan.command} (pid ${String(orphan.pid)}) of an earlier step has not ended`,
      );
    }
    await sleep(100);
  }
  for (const intent of left) host.deeds.endIntent(intent.id, false);
}
