import { SealiftError } from '../domain/error.ts';
import { signedSession } from '../domain/statement.ts';
import type { Session, Signed } from '../domain/statement.ts';
import { InOrder } from './in-order.ts';
import type { Exchange, LandingOptions, LandingRun } from './landing.ts';
import type { FromLandingThread } from './landing-messages.ts';
import { encodeOpening, openingKind } from './opening.ts';
import { toPlain } from './threads.ts';

/** What becomes of who sends a first frame. */
export interface Door {
  /** Lets a connection into its run. What it throws is told to the sender. */
  enter(asked: LandingRun, signature: string, connection: string, stream: number): Promise<void>;
  answer(connection: string, frame: Buffer): void;
  refuse(connection: string, error: unknown): void;
}

/**
 * What connections ask before they belong to a run: to send, or a question beside all runs. Each is looked at after the one
 * before it: a crowd of them must not keep the host from its work.
 */
export class FirstFrames {
  readonly #options: Pick<LandingOptions, 'authorize' | 'exchange' | 'log'>;
  readonly #door: Door;
  readonly #inOrder = new InOrder();
  /** Connections whose hello is looked at. */
  readonly #asking = new Set<string>();
  readonly #exchanges = new Map<string, Exchange>();

  constructor(options: Pick<LandingOptions, 'authorize' | 'exchange' | 'log'>, door: Door) {
    this.#options = options;
    this.#door = door;
  }

  async hello({ connection, statement, stream, at }: FromLandingThread & { kind: 'hello' }): Promise<void> {
    this.#asking.add(connection);
    try {
      const session = parseSession(Buffer.from(statement));
      const asked = await this.#inOrder.run(() => this.#options.authorize(session));
      if (asked.inside !== undefined && asked.inside !== at)
        throw new SealiftError('tunnel-leaks', 'a run by tunnel takes nothing that comes beside it');
      // It may be gone by now. And a run that is slow to let in is waited for by its own connections alone.
      if (this.#asking.delete(connection)) await this.#door.enter(asked, session.signature, connection, stream);
    } catch (error) {
      this.#asking.delete(connection);
      this.#options.log.warn({ error: toPlain(error) }, 'a sender was refused');
      this.#door.refuse(connection, error);
    }
  }

  async asked({ connection, what, body }: FromLandingThread & { kind: 'asked' }): Promise<void> {
    try {
      const exchange = this.#exchanges.get(connection) ?? this.#options.exchange?.();
      if (exchange === undefined) throw new SealiftError('bad-frame', 'this landing answers no questions');
      this.#exchanges.set(connection, exchange);
      const frame = await this.#inOrder.run(async () =>
        what === 'ask'
          ? encodeOpening(openingKind.askKey, await exchange.key(Buffer.from(body)))
          : encodeOpening(openingKind.answer, await exchange.answer(Buffer.from(body))),
      );
      this.#door.answer(connection, frame);
    } catch (error) {
      this.#options.log.warn({ error: toPlain(error) }, 'a question was refused');
      this.#door.refuse(connection, error);
    }
  }

  gone(connection: string): void {
    this.#asking.delete(connection);
    this.#exchanges.delete(connection);
  }
}

function parseSession(bytes: Buffer): Signed<Session> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new SealiftError('bad-statement', 'the statement of a first frame does not parse');
  }
  const parsed = signedSession.safeParse(value);
  if (!parsed.success) throw new SealiftError('bad-statement', 'a first frame does not hold a session statement');
  return parsed.data;
}
