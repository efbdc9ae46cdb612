import { createServer } from 'node:net';

/** `wanted` when it, and the port 1000 above it, are free on the loopback address; else any two such ports. */
export async function freePortOr(wanted: number): Promise<number> {
  if ((await isFree(wanted)) && (await isFree(wanted + 1_000))) return wanted;
  for (;;) {
    const port = await anyPort();
    if (port < 64_000 && (await isFree(port + 1_000))) return port;
  }
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

function anyPort(): Promise<number> {
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
