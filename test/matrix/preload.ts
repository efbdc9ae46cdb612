/*
 * Loaded into every worker of a matrix world before its own code, in each of its threads (NODE_OPTIONS=--import): changes the
 * sources as they are loaded, so that the process reports each point to the director and waits for its word. The product knows
 * nothing of it.
 */
import childProcess from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { basename, dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { diskFaults, pointEdits } from './edits.ts';
import type { DiskOperation } from './edits.ts';
import { sabotages } from './sabotage.ts';

/** The director's word: how far the clock is off. */
interface Answer {
  clockMs?: number;
}
type Step = (...ask: unknown[]) => Promise<unknown>;

const root = join(import.meta.dirname, '../..');
const folder = process.env.SEALIFT_MATRIX ?? '';
const sabotage = process.env.SEALIFT_MATRIX_SABOTAGE ?? '';
// What this process starts, `xl` above all, is left alone.
delete process.env.NODE_OPTIONS;

const edits = [...(sabotages.find(({ name }) => name === sabotage)?.edits ?? []), ...pointEdits];
registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context);
    if (!url.startsWith('file:') || loaded.source == null) return loaded;
    const file = relative(root, fileURLToPath(url));
    const own = edits.filter((edit) => edit.file === file);
    if (own.length === 0) return loaded;
    const text = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
    return { ...loaded, source: own.reduce(applied, text) };
  },
});

function applied(text: string, edit: (typeof edits)[number]): string {
  const parts = text.split(edit.old);
  if (parts.length !== 2)
    throw new Error(`the text to change stands ${parts.length - 1} times in ${edit.file}: ${edit.old}`);
  return parts.join(edit.new);
}

/** `host.ts HOST_FILE`: the host's name is that of the file's folder. Threads have the environment, and no arguments. */
const host = (process.env.SEALIFT_MATRIX_HOST ??= basename(dirname(process.argv[2] ?? '')));
let line: Socket | null = null;
let asked = 0;
const waiting = new Map<number, (answer: Answer) => void>();

function director(): Socket {
  if (line !== null) return line;
  const socket = connect(join(folder, 'director.sock'));
  const letGo = (): void => {
    for (const go of waiting.values()) go({});
    waiting.clear();
  };
  socket.on('error', letGo).on('close', letGo).unref();
  const lines = createInterface({ input: socket });
  // It tells of the socket's errors too.
  lines
    .on('error', () => undefined)
    .on('line', (text) => {
      const { id, ...answer } = JSON.parse(text) as Answer & { id: number };
      waiting.get(id)?.(answer);
      waiting.delete(id);
    });
  return (line = socket);
}

/** Reports a point and waits for the director's word; a clock that it sets jumps. */
async function at(name: string, when: 'before' | 'after', facts?: unknown): Promise<void> {
  const socket = director();
  if (socket.destroyed) return;
  const id = (asked += 1);
  const { clockMs } = await new Promise<Answer>((resolve) => {
    waiting.set(id, resolve);
    socket.write(`${JSON.stringify({ id, host, pid: process.pid, name, when, facts })}\n`);
  });
  if (clockMs !== undefined) setClock(clockMs);
}

function watched(steps: Record<string, Step>): Record<string, Step> {
  return Object.fromEntries(
    Object.entries(steps).map(([name, step]) => [
      name,
      async (...ask: unknown[]) => {
        await at(name, 'before', { ask });
        const result = await step(...ask);
        await at(name, 'after', { ask, result });
        return result;
      },
    ]),
  );
}

/** SQLITE_IOERR and SQLITE_FULL (sqlite.org/rescode.html). */
const sqliteCodes = { EIO: 10, ENOSPC: 13 };

/**
 * Fails as the disk would when the director has laid out a fault for this operation on this host; each is taken once, but one that
 * stays. True for a disk that is to say that it has written, and does not.
 */
function strike(operation: DiskOperation, path: string): boolean {
  for (const code of diskFaults) {
    if (!taken(`${host}.${operation}.${code}`)) continue;
    if (code === 'LOST') return true;
    const text = `${code}: a fault on request, ${operation} ${path}`;
    throw Object.assign(new Error(text), operation === 'commit' ? { errcode: sqliteCodes[code] } : { code });
  }
  return false;
}

/** Whether an order was there, and is this thread's; one that stays is everybody's. */
function taken(order: string): boolean {
  const text = laidOut(order);
  if (text === null) return false;
  try {
    if (text !== 'stays') unlinkSync(join(folder, order));
  } catch {
    return false;
  }
  appendFileSync(join(folder, 'taken.log'), `${order}\n`);
  return true;
}

function laidOut(order: string): string | null {
  const path = join(folder, order);
  if (!existsSync(path)) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Operations that are left to this thread; none is counted while it is null. */
let life: number | null = null;

/** Counts what this thread makes durable or sets going, and dies at the number that the director has laid out, if it is not called off by then. */
function wear(): void {
  const order = `${host}.dies`;
  const ordered = laidOut(order);
  life = ordered === null ? null : (life ?? Number(ordered)) - 1;
  if (life !== null && life <= 0 && taken(order)) process.kill(process.pid, 'SIGKILL');
}

/** Writes down what each program is given besides what this process has itself: most are gone before anybody could look. */
function tellPrograms(): void {
  const { spawn } = childProcess;
  childProcess.spawn = ((file: string, args: string[], options: { env?: NodeJS.ProcessEnv }) => {
    const env = Object.entries(options.env ?? {}).filter(([name, value]) => process.env[name] !== value);
    appendFileSync(join(folder, 'programs.log'), `${JSON.stringify({ host, file, args, env })}\n`);
    return spawn(file, args, options);
  }) as typeof spawn;
  syncBuiltinESMExports();
}
tellPrograms();

/** Keeps something beyond the end of this process, for a build that does so; null is not kept. */
function remember(name: string, value: unknown): void {
  if (value !== null) writeFileSync(join(folder, `${host}.${name}`), JSON.stringify(value));
}

function remembered(name: string): unknown {
  const path = join(folder, `${host}.${name}`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
}

const RealDate = Date;
function setClock(ms: number): void {
  globalThis.Date = class extends RealDate {
    constructor(...given: [] | [number | string | Date]) {
      if (given.length === 0) super(RealDate.now() + ms);
      else super(...given);
    }
    static override now(): number {
      return RealDate.now() + ms;
    }
  } as DateConstructor;
}

// The control worker stands at no point at which it could be told.
setClock(Number(process.env.SEALIFT_MATRIX_CLOCK_MS ?? 0));
Object.assign(globalThis, { matrix: { at, watched, strike, wear, remember, remembered } });
