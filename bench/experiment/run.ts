import { setTimeout as sleep } from 'node:timers/promises';
import { SealiftError } from '../../domain/error.ts';
import { deviations } from '../../infra/lab/wan/check.ts';
import { measureLink } from '../../infra/lab/wan/measure.ts';
import { missingNeeds } from '../../infra/lab/wan/needs.ts';
import { Clock } from './clock.ts';
import { enterStage } from './ground.ts';
import type { Ground, Stage } from './ground.ts';
import { loadNow, thisMachine } from './machine.ts';
import { meterMissing } from './meter.ts';
import { makePayload } from './payload.ts';
import { lineWords, pointKey, pointsOf } from './plan.ts';
import type { Plan, Point } from './plan.ts';
import { Results } from './results.ts';
import { wayOf } from './ways/all.ts';
import type { StartedWay } from './ways/way.ts';
import type { WayName } from './way-names.ts';

const looksAtLine = 3;
const lookSeconds = 2;

/** What is told while an experiment runs. */
export type Told =
  | { event: 'missing'; way: WayName; lacks: string[] }
  | { event: 'line'; words: string; wrong: string[] }
  | { event: 'begins'; point: Point }
  | { event: 'crossed'; point: Point; totalMs: number }
  | { event: 'failed'; point: Point; why: string }
  /** Nothing was measured on a line that is not as asked. */
  | { event: 'left-out'; points: Point[] };

export interface Outcome {
  done: number;
  /** Failed, or left out in this session; they are tried again by the next one. */
  notDone: number;
  missing: WayName[];
}

interface Options {
  folder: string;
  /** Once aborted, what is being measured is given up, and what was done stays. */
  signal: AbortSignal;
  /** The points that are still to be measured, before anything is. */
  begin: (todo: Point[]) => void;
  tell: (what: Told) => void;
}

/**
 * Measures what a plan asks for and was not measured yet, and adds it to the results in `folder`, each point as it is done. Throws `machine-lacks` when this
 * machine cannot emulate a line.
 */
export async function runExperiment(plan: Plan, options: Options): Promise<Outcome> {
  const { folder, signal, begin, tell } = options;
  const meter = meterMissing();
  const lacks = [...missingNeeds(), ...(meter === null ? [] : [meter])];
  if (lacks.length > 0)
    throw new SealiftError('machine-lacks', `the experiment needs ${lacks.join('; ')}`, {
      hint: 'run it as root on a Linux machine with these packages; a report of results can be made anywhere',
    });
  const results = Results.open(folder, plan);
  try {
    const missing = plan.ways.flatMap((way) => {
      const found = wayOf(way).lacks();
      return found.length === 0 ? [] : [{ way, lacks: found }];
    });
    const ways = new Set(missing.map(({ way }) => way));
    results.add({ kind: 'session', at: now(), machine: thisMachine(), missing });
    for (const one of missing) tell({ event: 'missing', ...one });
    const done = new Set(results.entries.flatMap((entry) => (entry.kind === 'crossed' ? [pointKey(entry.point)] : [])));
    const todo = pointsOf(plan).filter((point) => !ways.has(point.way) && !done.has(pointKey(point)));
    begin(todo);
    const crossed = todo.length === 0 ? 0 : await new Session(plan, results, signal, tell, folder).run(todo);
    return { done: crossed, notDone: todo.length - crossed, missing: [...ways] };
  } finally {
    results.close();
  }
}

/** One stretch of measuring, from bringing the line up to taking it down. */
class Session {
  readonly #plan: Plan;
  readonly #results: Results;
  readonly #signal: AbortSignal;
  readonly #tell: Options['tell'];
  readonly #folder: string;
  readonly #started = new Map<WayName, StartedWay>();

  constructor(plan: Plan, results: Results, signal: AbortSignal, tell: Options['tell'], folder: string) {
    this.#plan = plan;
    this.#results = results;
    this.#signal = signal;
    this.#tell = tell;
    this.#folder = folder;
  }

  /** Gives how many were done. */
  async run(points: Point[]): Promise<number> {
    for (const point of points) await makePayload(point);
    const stage = await enterStage(this.#folder);
    let done = 0;
    try {
      for (const group of byLine(points)) {
        this.#signal.throwIfAborted();
        if (!(await this.#lineIsAsAsked(stage, group[0]))) {
          this.#tell({ event: 'left-out', points: group });
          continue;
        }
        await stage.lab.setCongestion(this.#plan.congestion ?? null);
        for (const point of group) if (await this.#measure(stage, point)) done += 1;
      }
    } finally {
      for (const name of [...this.#started.keys()]) await this.#stop(name);
      await stage.leave();
    }
    return done;
  }

  async #lineIsAsAsked({ lab }: Stage, asked: Point): Promise<boolean> {
    const { rateMbps, roundTripMs, lossPercent } = asked;
    const link = { rateMbps, roundTripMs, lossPercent };
    await lab.setLink(link);
    for (let look = 1; look <= looksAtLine; look += 1) {
      this.#signal.throwIfAborted();
      const found = await measureLink(lab, lookSeconds);
      const wrong = deviations(link, found);
      this.#results.add({ kind: 'line', at: now(), ...link, found, wrong });
      this.#tell({ event: 'line', words: lineWords({ ...link, outage: null }), wrong });
      if (wrong.length === 0) return true;
    }
    return false;
  }

  /** Whether it was done. What fails is told and added to the results, and the next one gets the way afresh. */
  async #measure(stage: Stage, point: Point): Promise<boolean> {
    this.#signal.throwIfAborted();
    const way = wayOf(point.way);
    const ground = stage.ground(way.groundName ?? way.name);
    this.#tell({ event: 'begins', point });
    const limit = new AbortController();
    let cut = Promise.resolve();
    const clock = new Clock(ground, () => {
      cut = this.#cut(ground, point, limit.signal);
      // Told below, when the crossing has ended.
      cut.catch(() => undefined);
    });
    const load = loadNow();
    let timer: NodeJS.Timeout | undefined;
    try {
      const payload = await makePayload(point);
      const started = this.#started.get(point.way) ?? (await way.start(ground));
      this.#started.set(point.way, started);
      timer = setTimeout(() => limit.abort(), this.#plan.limit_seconds * 1000);
      await started.cross(payload, clock, AbortSignal.any([this.#signal, limit.signal]));
      const crossing = await clock.end(payload.bytes);
      this.#results.add({ kind: 'crossed', at: now(), point, load, crossing });
      this.#tell({ event: 'crossed', point, totalMs: crossing.totalMs });
      return true;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof SealiftError && error.type === 'disk-full') throw error;
      const why = limit.signal.aborted ? `not done in ${String(this.#plan.limit_seconds)} s` : reasonOf(error);
      this.#results.add({ kind: 'failed', at: now(), point, load, why });
      this.#tell({ event: 'failed', point, why });
      await this.#stop(point.way);
      return false;
    } finally {
      clearTimeout(timer);
      limit.abort();
      await clock.stop();
      await cut;
    }
  }

  /** Lets nothing pass for as long as the point says; `over`: nothing of it matters any more. */
  async #cut({ lab }: Ground, { outage, ...link }: Point, over: AbortSignal): Promise<void> {
    if (outage === null) return;
    const { rateMbps, roundTripMs, lossPercent } = link;
    try {
      await sleep(outage.afterSeconds * 1000, undefined, { signal: over });
      await lab.setLink({ outage: true });
      await sleep(outage.seconds * 1000, undefined, { signal: over });
    } catch {
      // It ended before.
    } finally {
      await lab.setLink({ rateMbps, roundTripMs, lossPercent });
    }
  }

  async #stop(name: WayName): Promise<void> {
    const way = this.#started.get(name);
    this.#started.delete(name);
    // What cannot be stopped ends with the stage.
    await way?.stop().catch(() => undefined);
  }
}

/** Those that follow one another on the same line. */
function byLine(points: Point[]): [Point, ...Point[]][] {
  const groups: [Point, ...Point[]][] = [];
  const lineOf = ({ rateMbps, roundTripMs, lossPercent, repeat }: Point): string =>
    JSON.stringify([rateMbps, roundTripMs, lossPercent, repeat]);
  for (const point of points) {
    const last = groups.at(-1);
    if (last !== undefined && lineOf(last[0]) === lineOf(point)) last.push(point);
    else groups.push([point]);
  }
  return groups;
}

/** In one line. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 300);
}

function now(): string {
  return new Date().toISOString();
}
