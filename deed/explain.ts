import { randomUUID } from 'node:crypto';
import type { DeedStep, ExplainedStep } from '../domain/deed-report.ts';
import { isSealiftError } from '../domain/error.ts';
import type { Offer, Signed, StatementKind } from '../domain/statement.ts';
import type { Database } from '../storage/database.ts';
import type { Operator } from './claim.ts';
import { Deeds } from './deeds.ts';
import type { FencePlaces } from './places.ts';
import { isCurrent, isCutShort, isReturning } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';
import type { BodyOf } from './statement.ts';

export interface ExplainAsk {
  /** The identity of this host. */
  me: string;
  lineage: string;
  /** Statements of other hosts that are not kept here yet. */
  shown: readonly Signed[];
  operators: readonly Operator[];
}

/**
 * Which steps a host's record permits now, and why not the others. Each is asked of the very transaction that would do it, which is
 * then rolled back: nothing is signed, and nothing changes.
 */
export function explainSteps(database: Database, ask: ExplainAsk): ExplainedStep[] {
  const deeds = new Deeds(database, { name: ask.me, sign: () => '' });
  const record = deeds.byLineage(ask.lineage);
  if (record === null) return [];
  const attempts = attemptsOf(deeds, record, ask);
  return Object.entries(attempts).map(([step, attempt]) => {
    const why = attempt === null ? null : typeof attempt === 'string' ? attempt : refusalOf(database, attempt);
    // the keys are the steps, which the compiler forgets
    return { step: step as DeedStep, possible: why === null, why };
  });
}

/** What would do the step; or why nothing can be tried; or null where no record stands in the way. */
type Attempt = (() => unknown) | string | null;

function attemptsOf(deeds: Deeds, record: DeedRecord, ask: ExplainAsk): Record<DeedStep, Attempt> {
  const { lineage, token, state } = record;
  const runs = deeds.runs(lineage);
  const last = runs.at(-1);
  const own = runs.find((one) => isCurrent(record, one)) ?? last;
  const known = [...deeds.statements(lineage).map(({ statement }) => statement), ...ask.shown];
  const find = <Kind extends StatementKind>(
    kind: Kind,
    like: Partial<BodyOf<Kind>>,
  ): Signed<BodyOf<Kind>> | undefined =>
    known.find(({ body }) => body.kind === kind && has(body, { lineage, ...like })) as Signed<BodyOf<Kind>> | undefined;
  const wrong = `state is ${state}`;
  const open = deeds.inProgress(lineage);
  const run = open ?? last;
  const none = 'no run is open here, and nothing is on its way back';
  const byOpenRun = (act: (id: string) => unknown): Attempt => (open === null ? none : () => act(open.migrationId));
  // a repetition, which every step takes, is no step to explain
  const inState = (
    needed: DeedRecord['state'],
    shown: Signed | undefined,
    name: string,
    act: (shown: Signed) => unknown,
  ): Attempt => {
    if (state !== needed) return wrong;
    return statementAttempt(shown, `no ${name} of this VM signed by ${String(record.peer)} is here`, act);
  };

  return {
    start: own === undefined ? (state === 'holder' ? null : wrong) : () => deeds.mayStart(own.migrationId),
    stop: byOpenRun((id) => deeds.mayStop(id, false)),
    fence: byOpenRun((id) => deeds.mayFence(id, nowhere, true)),
    open:
      state === 'holder' && record.places !== null && open === null
        ? 'it lies aside here: it has to be set up again first'
        : () => deeds.open({ ...record, migrationId: randomUUID(), to: somebodyElse, method: 'sealed' }),
    receive: receiveAttempt(deeds, runs, known, ask),
    ready: readyAttempt(deeds, record, runs),
    cede: run === undefined ? none : cedeAttempt(deeds, run, find('ready', { token: run.token, from: run.peer })),
    abort: abortAttempt(deeds, record, run),
    accept: inState('receiving', find('deed', { token, to: ask.me }), 'deed', (deed) => deeds.accept(deed)),
    'give-back': () => deeds.beginReturn(lineage, record.peer ?? 'nowhere', find('deed', { token, to: ask.me })),
    'take-back': inState('ceded', find('deed', { token: token + 1, to: ask.me }), 'give-back', (deed) =>
      deeds.takeBack(deed),
    ),
    revert: () => deeds.heldRun(lineage),
    finish: finishAttempt(deeds, record, runs, find('settled', { to: ask.me })),
    gc: collectAttempt(deeds, runs),
    claim: () => deeds.claimGround(lineage),
    heed: heedAttempt(deeds, record, known, ask),
  };
}

function receiveAttempt(deeds: Deeds, runs: DeedRun[], known: readonly Signed[], { me, lineage }: ExplainAsk): Attempt {
  const [offer] = known
    .filter((one): one is Signed<Offer> => has(one.body, { kind: 'offer', to: me, lineage }))
    .sort((a, b) => b.body.token - a.body.token);
  if (offer === undefined) return 'no offer to this host is here';
  const { from, token, migrationId } = offer.body;
  if (runs.some((run) => run.migrationId === migrationId)) return `the offer of token ${String(token)} was received`;
  return () => deeds.receive({ offer, from, recipient: noKey, places: nowhere });
}

function readyAttempt(deeds: Deeds, { token, madeToken }: DeedRecord, runs: DeedRun[]): Attempt {
  const landing = runs.findLast(({ role, state }) => role === 'destination' && state === 'open');
  if (landing === undefined) return 'no landing is open here';
  if (madeToken === token) return `READY of token ${String(token)} was signed`;
  return () => deeds.ready(landing.migrationId, noRoot);
}

function cedeAttempt(
  deeds: Deeds,
  { migrationId, role, state, token, peer }: DeedRun,
  ready: Signed | undefined,
): Attempt {
  if (role !== 'source' || state !== 'open') return 'no run is open here as source';
  return statementAttempt(ready, `READY of token ${String(token)} signed by ${peer} is not here`, (shown) =>
    deeds.cede(migrationId, shown),
  );
}

function abortAttempt(deeds: Deeds, record: DeedRecord, run: DeedRun | undefined): Attempt {
  // the VM is only set up, or started, again
  if (isCutShort(record, run)) return null;
  if (run?.role === 'destination') {
    return isReturning(record) ? () => deeds.abortReturn(run.migrationId) : 'nothing is on its way back';
  }
  if (run === undefined || run.state === 'aborted') return 'no run is open';
  return () => deeds.abort(run.migrationId);
}

function finishAttempt(deeds: Deeds, record: DeedRecord, runs: DeedRun[], settled: Signed | undefined): Attempt {
  if (record.state === 'holder') {
    const accepted = runs.findLast(({ role, state }) => role === 'destination' && state === 'accepted');
    return () => deeds.settle(record.lineage, accepted?.token ?? record.token, 'nobody');
  }
  return statementAttempt(settled, 'the holder has not said that the VM stays there', (shown) =>
    deeds.release(shown, record.vmName),
  );
}

function collectAttempt(deeds: Deeds, runs: DeedRun[]): Attempt {
  const kept = runs.filter(({ collected, state }) => !collected && state !== 'open');
  if (kept.length === 0) return 'there is no copy to remove';
  return () => {
    let refusal: unknown;
    for (const { migrationId } of kept) {
      try {
        // a look at each by itself: the guard's own words, whatever the order
        deeds.mayCollect(migrationId, { by: 'nobody' });
        return;
      } catch (error) {
        refusal ??= error;
      }
    }
    throw refusal;
  };
}

function heedAttempt(deeds: Deeds, record: DeedRecord, known: readonly Signed[], ask: ExplainAsk): Attempt {
  const claim = known.find(({ body }) => body.kind === 'claim' && body.to !== ask.me && body.token > record.token);
  const by = ask.operators.find(({ identity }) => identity === claim?.body.from);
  if (claim === undefined) return 'no claim against this host is here';
  if (by === undefined) return `the operator ${claim.body.from} is not in the file of this host`;
  return () => deeds.heed(claim, by);
}

function statementAttempt<S extends Signed>(
  statement: S | undefined,
  missing: string,
  act: (s: S) => unknown,
): Attempt {
  return statement === undefined ? missing : () => act(statement);
}

class Rehearsed extends Error {}

/** Null when the step would be done; it is not. */
function refusalOf(database: Database, attempt: () => unknown): string | null {
  try {
    database.transaction(() => {
      attempt();
      throw new Rehearsed();
    });
  } catch (error) {
    if (error instanceof Rehearsed) return null;
    if (isSealiftError(error)) return error.message;
    throw error;
  }
  return null;
}

function has(body: object, like: object): boolean {
  const fields = body as Record<string, unknown>;
  return Object.entries(like).every(([name, value]) => fields[name] === value);
}

/** Stand in where a step is only tried out: guards look at the record. */
const somebodyElse = `ed25519:${'A'.repeat(43)}`;
const noRoot = '0'.repeat(64);
const noKey = `age1${'q'.repeat(58)}`;
const nowhere: FencePlaces = {
  disks: [],
  configPath: null,
  autostartPath: null,
  savedImagePath: null,
  luns: [],
  asideFolder: '/',
};
