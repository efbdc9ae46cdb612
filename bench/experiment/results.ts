import { closeSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { SealiftError } from '../../domain/error.ts';
import { errorCode } from '../../infra/lab/guest-disks.ts';
import { plan, planDigest } from './plan.ts';
import type { Plan } from './plan.ts';
import { wayNames } from './way-names.ts';

/** The file within an experiment's folder: a line of JSON for each thing that was seen, in the order in which it was. */
export const resultsFile = 'results.jsonl';

const ms = z.number().min(0);
const way = z.enum(wayNames);
const bothSides = z.strictObject({ source: z.number(), destination: z.number() });

export const machine = z.strictObject({
  processor: z.string(),
  processors: z.int(),
  memoryMib: z.int(),
  kernel: z.string(),
  system: z.string(),
  node: z.string(),
});
export type Machine = z.infer<typeof machine>;

const point = z.strictObject({
  way,
  rateMbps: z.number(),
  roundTripMs: z.number(),
  lossPercent: z.number(),
  outage: z.strictObject({ afterSeconds: z.number(), seconds: z.number() }).nullable(),
  payload: z.enum(['files', 'random']),
  payloadMib: z.int(),
  repeat: z.int(),
});

/** What one crossing took. The destination had the source's bytes: what had not is a failure. */
export const crossing = z.strictObject({
  /** One after another; `bytes` are those between the payload at the source and the payload at the destination. */
  phases: z.array(z.strictObject({ name: z.string(), ms, bytes: z.boolean() })),
  /** From the order to the end; what lies between the phases belongs to it. */
  totalMs: ms,
  plainBytes: z.int(),
  /** From the source to the destination, headers of packets and what was sent again included. */
  wireBytes: z.int(),
  processorSeconds: bothSides,
  peakMib: bothSides,
  /** Milliseconds since the order, and the bytes that the line had carried then. */
  carried: z.array(z.tuple([z.number(), z.number()])),
});
export type Crossing = z.infer<typeof crossing>;

const found = z.strictObject({
  roundTripMs: z.number(),
  longestMs: z.number(),
  oneStreamMbps: z.number(),
  eightStreamsMbps: z.number(),
  lossPercent: z.number(),
});

const at = z.iso.datetime();
const entry = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('begun'), v: z.literal(1), at, digest: z.string(), plan }),
  /** A start or a continuation: where, and what each way lacks there. */
  z.strictObject({
    kind: z.literal('session'),
    at,
    machine,
    missing: z.array(z.strictObject({ way, lacks: z.array(z.string()) })),
  }),
  /** A look at the line before it is used; `wrong`: what of it was not as asked, so that nothing was measured on it. */
  z.strictObject({
    kind: z.literal('line'),
    at,
    rateMbps: z.number(),
    roundTripMs: z.number(),
    lossPercent: z.number(),
    found,
    wrong: z.array(z.string()),
  }),
  /** `load`: of the machine in the minute before, by uptime(1)'s count. */
  z.strictObject({ kind: z.literal('crossed'), at, point, load: z.number(), crossing }),
  z.strictObject({ kind: z.literal('failed'), at, point, load: z.number(), why: z.string() }),
]);
export type Entry = z.infer<typeof entry>;

/** What was read of a file of results. */
export interface Read {
  plan: Plan;
  entries: Entry[];
  /** Of what is whole. */
  bytes: number;
}

/**
 * Reads results; null when there are none yet. A last line that is torn, as by a kill or a full disk, counts for nothing. Throws `bad-config`
 * when another line is no result.
 */
export function readResults(folder: string): Read | null {
  const path = join(folder, resultsFile);
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return null;
    throw new SealiftError('bad-config', `${path} cannot be read (${code ?? 'unreadable'})`, { cause: error });
  }
  const bytes = content.lastIndexOf(0x0a) + 1;
  const lines = content.subarray(0, bytes).toString('utf8').split('\n').slice(0, -1);
  const entries = lines.map((line, index) => parseLine(line, `${path}:${String(index + 1)}`));
  const [first] = entries;
  if (first === undefined) return null;
  if (first.kind !== 'begun') throw new SealiftError('bad-config', `${path}:1: not the beginning of an experiment`);
  return { plan: first.plan, entries, bytes };
}

function parseLine(line: string, where: string): Entry {
  let raw: unknown;
  try {
    raw = JSON.parse(line);
  } catch (error) {
    throw new SealiftError('bad-config', `${where}: not JSON`, { cause: error });
  }
  const parsed = entry.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SealiftError('bad-config', `${where}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'no result'}`);
}

/** Results that are being added to, by this process alone. */
export class Results {
  readonly #path: string;
  readonly #file: number;
  readonly #lock: DatabaseSync;
  readonly entries: Entry[];
  #bytes: number;

  private constructor(path: string, lock: DatabaseSync, before: Read | null) {
    this.#path = path;
    this.#lock = lock;
    this.entries = before?.entries ?? [];
    this.#bytes = before?.bytes ?? 0;
    this.#file = orDiskFull(path, () => openSync(path, 'a+', 0o644));
    // What is torn goes, before anything comes behind it.
    ftruncateSync(this.#file, this.#bytes);
  }

  /**
   * Begins the results of a plan in a folder, or goes on with them. Throws `plan-changed` when they were begun by a plan that says something else, and
   * `state-locked` when another process adds to them.
   */
  static open(folder: string, of: Plan): Results {
    orDiskFull(folder, () => mkdirSync(folder, { recursive: true }));
    const lock = takeLock(folder);
    try {
      const before = readResults(folder);
      if (before !== null && planDigest(before.plan) !== planDigest(of))
        throw new SealiftError(
          'plan-changed',
          `the results in ${folder} were begun by a plan that says something else`,
          {
            hint: 'give the changed plan a folder of its own by --into, or remove the results',
          },
        );
      const results = new Results(join(folder, resultsFile), lock, before);
      if (before === null)
        results.add({ kind: 'begun', v: 1, at: new Date().toISOString(), digest: planDigest(of), plan: of });
      return results;
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /** Durable when it returns. A line that did not fit on the disk is taken away again: throws `disk-full`. */
  add(what: Entry): void {
    const line = Buffer.from(`${JSON.stringify(what)}\n`);
    try {
      orDiskFull(this.#path, () => {
        for (let done = 0; done < line.length;) done += writeSync(this.#file, line, done);
        fdatasyncSync(this.#file);
      });
    } catch (error) {
      ftruncateSync(this.#file, this.#bytes);
      throw error;
    }
    this.#bytes += line.length;
    this.entries.push(what);
  }

  close(): void {
    closeSync(this.#file);
    this.#lock.close();
  }
}

/** The kernel's own, which ends with this process however it ends: SQLite's on a file beside the results. */
function takeLock(folder: string): DatabaseSync {
  const path = join(folder, 'lock');
  const lock = orDiskFull(path, () => new DatabaseSync(path, { timeout: 0 }));
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw new SealiftError('bad-usage', `${path} cannot be locked`, { cause: error });
    throw new SealiftError('state-locked', `another process adds to the results in ${folder}`, {
      hint: 'let it end, or stop it by Ctrl-C: what it has done is kept',
      cause: error,
    });
  }
}

/** What `work` gives; a full disk is told as such, and so is a place that cannot be written. */
export function orDiskFull<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new SealiftError('disk-full', `there is no space for ${path} (${code})`, {
        hint: `free some below ${dirname(path)} and run the same command again: what was done is kept`,
        cause: error,
      });
    throw new SealiftError('bad-usage', `${path} cannot be written (${code ?? 'unwritable'})`, { cause: error });
  }
}

/** SQLITE_BUSY: another one has the lock. */
function isBusy(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === 5;
}
