import { connect } from 'node:net';
import { SealiftError } from '../domain/error.ts';
import { decodeOpeningHead, encodeOpening, openingHeadBytes, openingKind } from './opening.ts';
import { Receiver } from './receiver.ts';

const pings = 5;
const limitMs = 10_000;

/**
 * The round trip to a landing in milliseconds: the least of five pings on one connection; they need no run. Throws
 * 'landing-away', 'too-old'.
 */
export async function measureRoundTrip(landing: { address: string; port: number }): Promise<number> {
  const where = `${landing.address}:${String(landing.port)}`;
  const receiver = new Receiver();
  const socket = connect({ host: landing.address, port: landing.port, noDelay: true, onread: receiver.onread });
  receiver.attach(() => socket.resume());
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.on('error', (error: NodeJS.ErrnoException) => {
    reject(new SealiftError('landing-away', `no landing answers at ${where} (${error.code ?? error.message})`));
  });
  socket.on('close', () => {
    reject(new SealiftError('landing-away', `the landing at ${where} closed the connection`));
  });
  socket.setTimeout(limitMs, () => {
    reject(new SealiftError('landing-away', `the landing at ${where} does not answer`));
  });
  const ping = (left: number, leastMs: number) => {
    if (left === 0) {
      resolve(leastMs);
      return;
    }
    const startedAt = performance.now();
    socket.write(encodeOpening(openingKind.ping, Buffer.alloc(8)));
    pong(receiver, reject, () => {
      ping(left - 1, Math.min(leastMs, performance.now() - startedAt));
    });
  };
  socket.on('connect', () => {
    ping(pings, Infinity);
  });
  try {
    return await promise;
  } finally {
    receiver.stop();
    socket.destroy();
  }
}

function pong(receiver: Receiver, reject: (error: unknown) => void, done: () => void): void {
  const frame = Buffer.alloc(openingHeadBytes + 8);
  receiver.want(frame, () => {
    try {
      const { kind } = decodeOpeningHead(frame);
      if (kind !== openingKind.pong)
        throw new SealiftError('bad-frame', 'the landing did not answer a ping with a pong');
      done();
    } catch (error) {
      reject(error);
    }
  });
}
