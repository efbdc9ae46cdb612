import { createServer } from 'node:net';
import type { AddressInfo, ListenOptions, Server } from 'node:net';
import { errorCode } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';

/**
 * Makes sure that nobody else has the port, and keeps other landings from it until `release`. The threads share the port by
 * SO_REUSEPORT, and with that another landing of the same user would share it too, without an error and with half of the
 * connections. `port` 0 takes a free one. Throws 'port-taken'.
 */
export async function claimPort(address: string, port: number): Promise<{ port: number; release(): Promise<void> }> {
  const probe = await listening({ host: address, port }, `${address}:${String(port)}`);
  const claimed = (probe.address() as AddressInfo).port;
  const name = `${address}:${String(claimed)}`;
  try {
    // A name in the kernel that dies with its holder, and belongs to the same network namespace as the port.
    const mark = await listening({ path: `\0sealift landing ${name}` }, name);
    return { port: claimed, release: () => closed(mark) };
  } finally {
    await closed(probe);
  }
}

async function listening(options: ListenOptions, name: string): Promise<Server> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(options, () => {
    resolve(undefined);
  });
  try {
    await promise;
    return server;
  } catch (error) {
    throw portError(name, errorCode(error));
  }
}

/** What a failure to listen on `name` means. */
export function portError(name: string, code: string | undefined): SealiftError {
  if (code === 'EADDRINUSE') return new SealiftError('port-taken', `another process listens on ${name}`);
  return new SealiftError('bad-config', `cannot listen on ${name} (${code ?? 'unknown error'})`);
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
