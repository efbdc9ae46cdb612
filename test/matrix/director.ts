import { existsSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { diskFaults, diskOperations } from './edits.ts';
import type { DiskFault, DiskOperation } from './edits.ts';
import type { Met } from './faults/fault.ts';

const reached = z.object({
  id: z.int(),
  host: z.string(),
  pid: z.int(),
  name: z.string(),
  when: z.enum(['before', 'after']),
  facts: z.unknown().optional(),
});

/** A host worker stands at a point: before or after a step, a chunk or the manifest. */
export type Reached = z.infer<typeof reached>;

/** Asks to be told of the first point that fits; the process waits there until `act` has ended. */
export interface Ambush {
  fits: (at: Reached) => boolean;
  act: (at: Reached) => Promise<void>;
}

/** Holds the host workers of a matrix world by the hand: each reports every point and goes on at its word. */
export class Director {
  /** Told of every point, before anything is done there. */
  onPoint: (at: Reached) => void = () => undefined;
  /** How far the clocks of the workers are off, in milliseconds; they learn it at their next point. */
  clockMs = 0;
  readonly #folder: string;
  readonly #lines = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#serve(socket);
  });
  #ambush: Ambush | null = null;
  #striking = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** `folder` is given to the workers as SEALIFT_MATRIX. */
  static async start(folder: string): Promise<Director> {
    const director = new Director(folder);
    await new Promise<void>((resolve) => director.#server.listen(join(folder, 'director.sock'), resolve));
    return director;
  }

  /** What the workers of a world need to be directed. */
  static environment(folder: string, sabotage = ''): Record<string, string> {
    const preload = join(import.meta.dirname, 'preload.ts');
    return { NODE_OPTIONS: `--import ${preload}`, SEALIFT_MATRIX: folder, SEALIFT_MATRIX_SABOTAGE: sabotage };
  }

  /** Whether an ambush is being acted on now. */
  get striking(): boolean {
    return this.#striking > 0;
  }

  /** One ambush at a time; null calls it off. */
  lie(ambush: Ambush | null): void {
    this.#ambush = ambush;
  }

  /** The next such operation of a host on any disk, file or database fails; or each for so long, when `forMs` is given. */
  async breakDisk(host: string, operation: DiskOperation, fault: DiskFault, forMs?: number): Promise<Met> {
    const order = `${host}.${operation}.${fault}`;
    const met = await this.#lay(order, forMs === undefined ? '' : 'stays');
    if (forMs !== undefined) setTimeout(() => void rm(join(this.#folder, order), { force: true }), forMs).unref();
    return met;
  }

  /** A host's worker dies at the so-manieth thing from now on that it makes durable, or program that it starts. */
  async wearOut(host: string, operations: number): Promise<Met> {
    return this.#lay(`${host}.dies`, String(operations));
  }

  /** Takes back what was ordered of disks and workers and has not struck. */
  async mend(hosts: string[]): Promise<void> {
    for (const host of hosts) {
      await rm(join(this.#folder, `${host}.dies`), { force: true });
      for (const operation of diskOperations)
        for (const fault of diskFaults) await rm(join(this.#folder, `${host}.${operation}.${fault}`), { force: true });
    }
  }

  async close(): Promise<void> {
    for (const line of this.#lines) line.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#lines.add(socket);
    socket.on('error', () => undefined).on('close', () => this.#lines.delete(socket));
    const lines = createInterface({ input: socket });
    // It tells of the socket's errors too.
    lines
      .on('error', () => undefined)
      .on('line', (line) => {
        const at = reached.parse(JSON.parse(line));
        void this.#meet(at).finally(() => {
          if (!socket.destroyed) socket.write(`${JSON.stringify({ id: at.id, clockMs: this.clockMs })}\n`);
        });
      });
  }

  /** An order that is whole from the first look on. */
  async #lay(order: string, text: string): Promise<Met> {
    const before = this.#takenCount(order);
    const path = join(this.#folder, order);
    await writeFile(`${path}.draft`, text);
    await rename(`${path}.draft`, path);
    return () => this.#takenCount(order) > before;
  }

  /** Each order that a worker has taken is a line of taken.log. */
  #takenCount(order: string): number {
    const path = join(this.#folder, 'taken.log');
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    return lines.filter((line) => line === order).length;
  }

  async #meet(at: Reached): Promise<void> {
    this.onPoint(at);
    const ambush = this.#ambush;
    if (ambush?.fits(at) !== true) return;
    this.#ambush = null;
    this.#striking += 1;
    await ambush.act(at).finally(() => (this.#striking -= 1));
  }
}
