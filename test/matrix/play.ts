import { setTimeout as sleep } from 'node:timers/promises';
import { faults, nothing } from './faults/faults.ts';
import type { Fault } from './faults/fault.ts';
import { judgeFiles } from './judge/secrets.ts';
import { points, stages } from './points.ts';
import type { Point, StageName } from './points.ts';
import { Random } from './random.ts';
import { mendAll, Run } from './run.ts';
import type { Stage } from './stage.ts';
import { makeSuspect, removeSuspect } from './suspects.ts';
import type { CopyMethod } from './points.ts';

/** A fault and the point at which it lies in wait. */
export interface Strike {
  point: Point;
  fault: Fault;
}

/** What is played: one fault at one point, by one method. The seed draws all that is left open. */
export interface Cast extends Strike {
  seed: number;
  method: CopyMethod;
  /** Another one, that strikes before and passes. */
  first?: Strike;
}

export interface Outcome {
  seed: number;
  method: CopyMethod;
  point: string;
  fault: string;
  /** What struck before. */
  first?: { point: string; fault: string };
  /** Whether the run came to the point, and to that of `first`. */
  struck: boolean;
  /** Whether every fault has harmed something there: a disk may be read no more, an `xl` not be asked. */
  met: boolean;
  /** The host that holds the VM in the end, by the hosts' records, or `unsettled`. */
  end: string;
  story: string[];
  complaints: string[];
  ms: number;
}

/** Draws a run from its seed alone. */
export function castOf(seed: number, among: readonly Point[] = points): Cast {
  const random = new Random(seed);
  const method = random.one(['sealed', 'staged'] as const);
  const point = random.one(among.filter(({ methods }) => methods.includes(method)));
  const fault = random.one([...faults, nothing].filter((one) => fits(one, point, method)));
  return { seed, method, point, fault };
}

/** Draws a point for a fault. */
export function castAt(seed: number, method: CopyMethod, fault: Fault): Cast {
  return { seed, method, point: new Random(seed).one(points.filter((point) => fits(fault, point, method))), fault };
}

/** Plays the same again. */
export function repeatCommand({ seed, method, point, fault, first }: Cast): string {
  const before = first === undefined ? '' : ` --first-point "${first.point.name}" --first-fault "${first.fault.name}"`;
  return `npm run matrix -- --seed ${String(seed)} --method ${method}${before} --point "${point.name}" --fault "${fault.name}"`;
}

/** Whether a fault can do anything at a point of a method. */
export function fits(fault: Fault, point: Point, method: CopyMethod): boolean {
  if (!point.methods.includes(method)) return false;
  return fault.at?.(method === 'staged' ? { ...point, methods: ['staged'] } : point) ?? true;
}

let played = 0;

/** Plays a run to its end, as its operator would see to it, and has it judged. */
export async function play(stage: Stage, cast: Cast): Promise<Outcome> {
  const began = Date.now();
  const { seed, method, point, fault, first } = cast;
  const random = new Random(seed ^ 0x5ea11f7);
  const name = `m${String((played += 1))}-${seed.toString(36)}`;
  stage.begin();
  const suspect = await makeSuspect(stage.world, stage.secrets, name, { adopt: false });
  const path = pathTo(point);
  const complaints: string[] = [];
  if (fault.afterReturn === true && point.stage !== 'adopt') {
    const earlier = new Run(stage, suspect, method, random);
    for (const one of ['adopt', 'move', 'revert'] as const) await earlier.carryOut(one);
    complaints.push(...(await earlier.judged()));
    path.shift();
  }
  const run = new Run(stage, suspect, method, random);
  const { struck, met, settled } = await perform(run, cast, path);
  if (!settled) complaints.push(`${name} did not come to rest`);
  complaints.push(...(await run.judged()));
  const end = settled ? run.holders().join(' and ') : 'unsettled';
  await removeSuspect(stage.world, suspect);
  return {
    seed,
    method,
    point: point.name,
    fault: fault.name,
    ...(first === undefined ? {} : { first: { point: first.point.name, fault: first.fault.name } }),
    struck,
    met,
    end,
    story: run.story,
    complaints,
    ms: Date.now() - began,
  };
}

/** Takes a VM along a path, with the fault lying in wait at its point; when it returns all is mended and nothing goes on any more. */
export async function perform(
  run: Run,
  cast: Pick<Cast, 'point' | 'fault' | 'first'>,
  path: StageName[],
): Promise<Pick<Outcome, 'struck' | 'met'> & { settled: boolean }> {
  const { stage } = run;
  const { point } = cast;
  const strikes = strikesOf(cast);
  const left = [...strikes];
  let settled = true;
  let stageName: StageName | null = null;
  for (const one of path) {
    stageName = one;
    lieInWait(run, left, () => stageName);
    settled = (await run.carryOut(one)) && settled;
    stage.director.lie(null);
    if (one === 'adopt' && !settled) {
      // Nobody goes on with an adoption by himself: its operator mends what is in the way, and tries again.
      await mendAll(stage);
      settled = await run.carryOut('adopt');
    }
    // On a busy machine a guest may not halt in its time, and its operator abort the move: then nothing is to be taken further.
    if (one === 'move' && !run.holders().includes(run.destination.host.name)) break;
  }
  stageName = null;
  while (stage.director.striking) await sleep(20);
  await run.restart;
  await mendAll(stage);
  if (run.restart !== null && point.stage !== 'adopt' && point.stage !== 'gc') settled = await run.rest(point.stage);
  await run.afterwards?.();
  await sleep(Math.max(0, run.lateUntil - Date.now()));
  const byItself = !run.givenUp || !strikes.every(({ fault }) => fault.passes === true);
  const struck = left.length === 0;
  return { struck, met: struck && run.laid.every((one) => one()), settled: settled && byItself };
}

/** What strikes, in its order. */
export function strikesOf({ point, fault, first }: Pick<Cast, 'point' | 'fault' | 'first'>): Strike[] {
  return [...(first === undefined ? [] : [first]), { point, fault }];
}

/** For the strikes of the present stage, one after the other; `left` loses what has struck. */
function lieInWait(run: Run, left: Strike[], present: () => StageName | null): void {
  const { stage } = run;
  const [next] = left;
  const isNow = next?.point.stage === present();
  if (next === undefined || !isNow) return;
  const { point, fault } = next;
  stage.director.lie({
    fits: (at) => at.host === run[point.end].host.name && point.fits(at),
    act: async (at) => {
      left.shift();
      // What is there only while it goes on.
      stage.seen.push(...judgeFiles(stage.world, stage.secrets, stage.otherFolders));
      try {
        await fault.strike(run, at);
      } catch (error) {
        run.story.push(`${fault.name}: ${String(error)}`);
      }
      lieInWait(run, left, present);
    },
  });
}

/** What a VM goes through to come to a point. */
export function pathTo(point: Point): StageName[] {
  return stages.filter((one) => one === point.stage || isBefore(one, point));
}

/** A VM that has moved has gone through adoption and move; one whose copy is collected also through the finish. */
function isBefore(stage: StageName, point: Point): boolean {
  if (stage === 'adopt') return true;
  if (stage === 'move') return point.stage !== 'adopt';
  return stage === 'finish' && point.stage === 'gc';
}
