import { SealiftError } from '../domain/error.ts';
import type { Journal } from '../storage/journal.ts';
import { controlKind, encodeHeld, encodePlaces, heldPerFrame } from './control.ts';
import type { ControlKind, HeldPlace, Place, Plan } from './control.ts';
import type { Written } from './landing-commit.ts';
import type { ThreadDisk } from './landing-messages.ts';
import type { LandingThreads } from './landing-threads.ts';
import type { PlainError } from './threads.ts';

/** The connections of one run, in the landing's main thread, and what their senders are told. */
export class RunSenders {
  readonly #run: string;
  readonly #disks: readonly ThreadDisk[];
  readonly #journal: Journal;
  readonly #threads: LandingThreads;
  /** Also those that wait to be let in. */
  readonly #connections = new Map<string, { stream: number; proved: boolean }>();

  constructor(run: string, disks: readonly ThreadDisk[], journal: Journal, threads: LandingThreads) {
    this.#run = run;
    this.#disks = disks;
    this.#journal = journal;
    this.#threads = threads;
  }

  add(connection: string, stream: number): void {
    this.#connections.set(connection, { stream, proved: false });
  }

  delete(connection: string): void {
    this.#connections.delete(connection);
  }

  get count(): number {
    return this.#connections.size;
  }

  get provedCount(): number {
    return [...this.#connections.values()].filter(({ proved }) => proved).length;
  }

  /** A connection has proved itself: it takes the place of its stream's last one, and is told what is held. */
  plan(connection: string, { disks, held, beatMs }: Plan): void {
    const own = this.#connections.get(connection);
    if (own === undefined) return;
    if (!areDisks(this.#disks, disks))
      throw new SealiftError('manifest-mismatch', "the sender's disks are not those that the run was opened for");
    for (const [id, other] of this.#connections) {
      if (other === own || other.stream !== own.stream || !other.proved) continue;
      this.#threads.tell(id, { kind: 'drop', connection: id });
    }
    own.proved = true;
    if (held) for (const part of this.#held()) this.#send(connection, controlKind.held, encodeHeld(part));
    this.#threads.tell(connection, { kind: 'planned', connection, beatMs });
  }

  acknowledge(chunks: readonly Written[]): void {
    const places = new Map<string, Place[]>();
    for (const { connection, disk, index } of chunks) {
      const own = places.get(connection) ?? [];
      own.push({ disk, index });
      places.set(connection, own);
    }
    for (const [connection, own] of places) this.#send(connection, controlKind.acknowledged, encodePlaces(own));
  }

  /** The manifest is kept. */
  stored(connection: string): void {
    this.#send(connection, controlKind.stored, Buffer.alloc(0));
  }

  refuse(error: PlainError): void {
    for (const connection of this.#connections.keys()) {
      this.#threads.tell(connection, { kind: 'refused', connection, error });
    }
  }

  #send(connection: string, control: ControlKind, payload: Buffer): void {
    this.#threads.tell(connection, { kind: 'control', connection, control, payload });
  }

  *#held(): Generator<HeldPlace[]> {
    let part: HeldPlace[] = [];
    for (const disk of this.#disks.keys()) {
      for (const { index, digest } of this.#journal.held(this.#run, disk)) {
        part.push({ disk, index, digest });
        if (part.length < heldPerFrame) continue;
        yield part;
        part = [];
      }
    }
    if (part.length > 0) yield part;
  }
}

/** Whether a peer's disks are those of the run, in the same order. */
export function areDisks(own: readonly ThreadDisk[], others: Plan['disks']): boolean {
  return (
    others.length === own.length &&
    others.every(({ vdev, sizeBytes }, at) => vdev === own[at]?.vdev && sizeBytes === own[at].sizeBytes)
  );
}
