import { createServer } from 'node:net';

/** `wanted` when it is free on the loopback address, and so is the port `beside` above it; else any such port. */
export async function freePortOr(wanted: number, beside = 0): Promise<number> {
  for (let port = wanted; ; port = await anyPort()) {
    if (port + beside < 65_536 && (await isFree(port)) && (await isFree(port + beside))) return port;
  }
}

/** Any free port of the loopback address. */
export function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

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
