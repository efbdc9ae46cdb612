import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** `wanted` when it is free on the loopback address, and so is the port `beside` above it; else any such port. */
export async function freePortOr(wanted: number, beside = 0): Promise<number> {
  for (let port = wanted; ; port = await anyPort()) {
    if (port + beside < 65_536 && (await isFree(port)) && (await isFree(port + beside))) return port;
  }
}

/**
 * Any free port of the loopback address, from below those that the kernel gives to outgoing connections: one of these could
 * be taken again before a program that is about to start listens on it.
 */
export async function anyPort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowestPort, 32_768);
    if (await isFree(port)) return port;
  }
}

const lowestPort = 16_384;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () =>
      server.close(() => {
        resolve(true);
      }),
    );
  });
}
