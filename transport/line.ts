import { connect } from 'node:net';
import { SealiftError } from '../domain/error.ts';
import { decodeOpeningHead, decodeRefusal, encodeOpening, openingHeadBytes, openingKind } from './opening.ts';
import type { OpeningKind } from './opening.ts';
import { Receiver } from './receiver.ts';

/** Asked for what a landing knows by itself. */
const limitMs = 10_000;

/** Where a landing is reached, and, where that matters, from which of this host's addresses. */
export interface LandingAddress {
  address: string;
  port: number;
  from?: string | undefined;
}

/** A connection to a landing that belongs to no run. */
export interface Line {
  /** Sends a first frame of `kind` and gives the body of the answer, which has to be of `answerKind`; `silentMs`, 10 s, is how long it may take. */
  ask(kind: OpeningKind, body: Buffer, answerKind: OpeningKind, silentMs?: number): Promise<Buffer>;
}

/**
 * Connects to a landing, lets `act` ask on the connection, one question after the other, and closes it. Throws 'landing-away'
 * when nobody answers in time, 'too-old', 'bad-frame', and what the landing refuses with.
 */
export async function onLine<Result>(landing: LandingAddress, act: (line: Line) => Promise<Result>): Promise<Result> {
  const where = `${landing.address}:${String(landing.port)}`;
  const receiver = new Receiver();
  const socket = connect({
    host: landing.address,
    port: landing.port,
    localAddress: landing.from,
    noDelay: true,
    onread: receiver.onread,
  });
  receiver.attach(() => socket.resume());
  const broken = Promise.withResolvers<never>();
  // Each step waits for it; this keeps the process from ending when none does at that moment.
  broken.promise.catch(() => undefined);
  const away = (what: string): void => {
    broken.reject(new SealiftError('landing-away', what));
  };
  socket.on('error', (error: NodeJS.ErrnoException) => {
    away(`no landing answers at ${where} (${error.code ?? error.message})`);
  });
  socket.on('close', () => {
    away(`the landing at ${where} closed the connection`);
  });
  socket.setTimeout(limitMs).on('timeout', () => {
    away(`the landing at ${where} does not answer`);
  });
  const read = (bytes: number): Promise<Buffer> => {
    const region = Buffer.alloc(bytes);
    const filled = new Promise<Buffer>((resolve) => {
      receiver.want(region, () => {
        resolve(region);
      });
    });
    return Promise.race([filled, broken.promise]);
  };
  const ask: Line['ask'] = async (kind, body, answerKind, silentMs = limitMs) => {
    socket.setTimeout(silentMs);
    socket.write(encodeOpening(kind, body));
    const head = decodeOpeningHead(await read(openingHeadBytes));
    const answer = await read(head.bodyBytes);
    if (head.kind === openingKind.refused) throw decodeRefusal(answer);
    if (head.kind !== answerKind) throw new SealiftError('bad-frame', `the landing at ${where} answers something else`);
    return answer;
  };
  try {
    await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), broken.promise]);
    return await act({ ask });
  } finally {
    receiver.stop();
    socket.destroy();
  }
}
