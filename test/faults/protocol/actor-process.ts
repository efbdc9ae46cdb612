/*
 * `actor-process.ts HOST_FILE`: a host of the protocol's walk. Does what a host worker's steps do, at the word of a parent instead of
 * Temporal's: each message names a step and what it is asked, and is answered by one with its result or its refusal.
 */
import { flushCompileCache } from 'node:module';
import { asyncLocalStorage, Context } from '@temporalio/activity';
import type { Info } from '@temporalio/activity';
import { noopMetricMeter } from '@temporalio/common';
import type { Logger } from '@temporalio/common';
import { pino } from 'pino';
import { z } from 'zod';
import { makeClaim, planClaim } from '../../../activities/claims.ts';
import { hostActivities } from '../../../activities/index.ts';
import { openHost } from '../../../activities/host.ts';
import { loadIdentity } from '../../../deed/identity.ts';

const order = z.object({ step: z.string(), ask: z.array(z.unknown()) });
const claimAsk = z.object({ vm: z.string(), operatorFolder: z.string() });

const nothing = (): void => undefined;
const silent: Logger = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };
const never = new Promise<never>(nothing);

const host = await openHost(process.argv[2] ?? '', pino({ level: 'silent' }));
const steps = new Map(Object.entries(hostActivities(host)) as [string, (...ask: unknown[]) => Promise<unknown>][]);
// What an operator types on the host itself is no activity.
steps.set('claim', async (ask) => {
  const { vm, operatorFolder } = claimAsk.parse(ask);
  const operator = await loadIdentity(operatorFolder, 'operator');
  const plan = planClaim(host, { vm, reason: 'it burned down', operator, peers: [] });
  await makeClaim(host, plan, { operator, confirm: vm, start: true });
});

process.on('message', (message) => {
  const { step, ask } = order.parse(message);
  void carryOut(step, ask).then((answer) => process.send?.(answer));
});
// The parent is gone.
process.on('disconnect', () => process.exit(1));
// Whoever is killed keeps nothing of what he has learned.
flushCompileCache();
process.send?.({ result: null });

async function carryOut(name: string, ask: unknown[]): Promise<unknown> {
  const step = steps.get(name);
  if (step === undefined) throw new Error(`no step ${name}`);
  try {
    const result = await asyncLocalStorage.run(contextOf(name), () => step(...ask));
    return { result: result ?? null };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { refused: { type: 'type' in error ? String(error.type) : error.name, message: error.message } };
  }
}

/** What a step may ask of its worker: only these two are used. */
function contextOf(activityType: string): Context {
  const info = { activityType, heartbeatTimeoutMs: 60_000 } as Info;
  return new Context(info, never, new AbortController().signal, nothing, undefined, silent, noopMetricMeter, {});
}
