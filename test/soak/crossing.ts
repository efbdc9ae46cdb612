import type { Method } from '../../domain/names.ts';
import { nothing } from '../matrix/faults/faults.ts';
import { readHostRecords } from '../matrix/judge/host-records.ts';
import type { Suspect } from '../matrix/judge/suspect.ts';
import { castOf, pathTo, perform } from '../matrix/play.ts';
import type { Cast } from '../matrix/play.ts';
import { points } from '../matrix/points.ts';
import { Random } from '../matrix/random.ts';
import { insist, mendAll, Run } from '../matrix/run.ts';
import type { Stage } from '../matrix/stage.ts';
import type { TestHost, World } from '../support/world.ts';
import { figuresOf } from './figures.ts';
import type { Figures } from './figures.ts';

/** One crossing: what was tried, what came of it, and what there was when all was at rest again. */
export interface Crossing {
  number: number;
  seed: number;
  from: string;
  to: string;
  method: Method;
  point: string;
  fault: string;
  struck: boolean;
  /** The host that holds the VM afterwards, by the hosts' own records. */
  end: string;
  /** Fenced copies that are kept since nobody gave a finish for them. */
  keptCopies: number;
  story: string[];
  complaints: string[];
  /** From the begin of the move until it was at rest, with the operations that the point asked for. */
  ms: number;
  /** Of the newest workflow of those; from its start to its close, without what this machinery does around it. */
  historyEvents: number;
  workflowMs: number;
  figures: Figures;
}

/** The VM was adopted once and for all. */
const onTheWay = points.filter(({ stage }) => stage !== 'adopt');

/** The VM goes from where it is to the other host, unless what strikes it keeps it; then what is no longer needed is removed. */
export async function cross(
  stage: Stage,
  suspect: Suspect,
  source: TestHost,
  { number, seed, calm }: { number: number; seed: number; calm: boolean },
): Promise<Crossing> {
  const { cast, random } = drawn(seed, calm);
  // Now and then the copy is kept, and the VM goes back to a host that has an older one of it.
  const keeps = random.below(4) === 0;
  stage.begin();
  const run = new Run(stage, suspect, cast.method, random, source);
  const complaints: string[] = [];
  const began = Date.now();
  const { struck, settled } = await perform(
    run,
    cast,
    pathTo(cast.point).filter((one) => one !== 'adopt'),
  ).catch(async (error: unknown) => {
    complaints.push(`crossing ${String(number)} could not be played: ${String(error)}`);
    await mendAll(stage);
    return { struck: false, settled: true };
  });
  if (!settled) complaints.push(`crossing ${String(number)} did not come to rest`);
  const ms = Date.now() - began;
  const { historyLength, startTime, closeTime } = await stage.temporal.workflow.getHandle(run.workflowId).describe();
  await tidyUp(run, keeps).catch((error: unknown) => complaints.push(`could not be tidied up: ${String(error)}`));
  complaints.push(...(await run.judged()));
  return {
    number,
    seed,
    from: run.source.host.name,
    to: run.destination.host.name,
    method: cast.method,
    point: cast.point.name,
    fault: cast.fault.name,
    struck,
    end: run.holders().join(' and '),
    keptCopies: keptCopies(stage.world),
    story: run.story,
    complaints,
    ms,
    workflowMs: (closeTime ?? startTime).getTime() - startTime.getTime(),
    historyEvents: historyLength,
    figures: figuresOf(stage),
  };
}

/** What strikes a crossing, and what draws the rest. Two of three are struck; on the others nothing lies in wait. */
export function drawn(seed: number, calm = false): { cast: Cast; random: Random } {
  const random = new Random(seed ^ 0x5ea11f7);
  const cast = castOf(seed, onTheWay);
  const end = onTheWay.find(({ name }) => name === 'after receipt');
  if ((random.below(3) > 0 && !calm) || end === undefined) return { cast, random };
  return { cast: { ...cast, point: end, fault: nothing }, random };
}

/** What an operator does in the end: gives the finish, and lets both hosts remove what they need no longer. */
async function tidyUp(run: Run, keeps: boolean): Promise<void> {
  const { world } = run.stage;
  if (!keeps && keptCopies(world) > 0) await run.carryOut('finish');
  for (const at of world.up.hosts) await insist(() => run.collect(at));
}

function keptCopies(world: World): number {
  return world.up.hosts
    .flatMap((at) => readHostRecords(at).runs)
    .filter(({ role, state, collected }) => role === 'source' && state === 'ceded' && !collected).length;
}
