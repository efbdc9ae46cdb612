import { SealiftError } from '../domain/error.ts';
import { controlKind } from './control.ts';
import type { MemoryBegin } from './control.ts';
import type { LandingOptions, MemoryTaker } from './landing.ts';
import type { ToLandingThread } from './landing-messages.ts';
import { toPlain } from './threads.ts';

/** What the senders of guests' memory are told. */
export interface MemoryDoor {
  tell(connection: string, message: ToLandingThread): void;
  refuse(connection: string, error: unknown): void;
}

/** The guests that are on their way in with their memory, by the connection that each comes by, in the landing's main thread. */
export class MemoryArrivals {
  readonly #options: Pick<LandingOptions, 'receiveMemory' | 'log'>;
  readonly #door: MemoryDoor;
  readonly #takers = new Map<string, { taking: Promise<MemoryTaker>; gone: AbortController }>();

  constructor(options: Pick<LandingOptions, 'receiveMemory' | 'log'>, door: MemoryDoor) {
    this.#options = options;
    this.#door = door;
  }

  /** Never throws: what fails is told to the sender. */
  async begin(
    connection: string,
    coming: { run: string; session: number },
    { config, beatMs }: MemoryBegin,
  ): Promise<void> {
    const gone = new AbortController();
    const taking = this.#taker({ ...coming, config }, gone.signal);
    this.#takers.set(connection, { taking, gone });
    await this.#guarded(connection, async () => {
      const taker = await taking;
      this.#door.tell(connection, { kind: 'planned', connection, beatMs });
      await taker.arrived;
      const here = { kind: 'control', connection, control: controlKind.memoryHere, payload: Buffer.alloc(0) } as const;
      this.#door.tell(connection, here);
    });
  }

  async memory(connection: string, bytes: Buffer): Promise<void> {
    await this.#guarded(connection, async () => {
      await (await this.#takers.get(connection)?.taking)?.take(bytes);
      this.#door.tell(connection, { kind: 'memory-taken', connection });
    });
  }

  gone(connection: string): void {
    const known = this.#takers.get(connection);
    this.#takers.delete(connection);
    known?.gone.abort(new SealiftError('landing-away', 'the connection of its sender is gone'));
    void known?.taking.then(
      (taker) => {
        taker.cut();
      },
      () => undefined,
    );
  }

  async #taker(coming: { run: string; session: number; config: string }, signal: AbortSignal): Promise<MemoryTaker> {
    if (this.#options.receiveMemory === undefined)
      throw new SealiftError('bad-frame', 'this landing takes no guest with its memory');
    return this.#options.receiveMemory(coming, signal);
  }

  async #guarded(connection: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!this.#takers.has(connection)) return;
      this.#options.log.warn({ error: toPlain(error) }, 'the memory of a guest was not taken');
      this.#door.refuse(connection, error);
    }
  }
}
