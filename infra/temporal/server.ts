import { createServer } from 'node:net';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { execa } from 'execa';
import { SealiftError } from '../../domain/error.ts';
import { anyPort } from '../free-port.ts';
import { searchKeys } from '../../workflows/search-attributes.ts';
import { missingSearchAttributes, typeName } from '../../workers/search-attributes.ts';

export interface ServerOptions {
  /** The Temporal CLI; see `findServerBinary`. */
  binary: string;
  /** Keeps the database file and the log; made when it is not there. */
  folder: string;
  /** Default: a free one. */
  port?: number;
  /** Default: `port` + 1000, as Temporal has it, or a free one when `port` is not given. */
  uiPort?: number;
  /** Without the Web UI. */
  headless?: boolean;
  /** Server settings by name, each a JSON value; tests lower limits with it. */
  dynamicConfig?: Record<string, string>;
  readyMs?: number;
}

export interface TemporalServer {
  address: string;
  /** Null when headless. */
  uiUrl: string | null;
  pid: number;
  /** Resolves when the process has ended, however it did. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

const namespace = 'default';

/**
 * Starts Temporal's development server on a database file, with Sealift's search attributes registered, and waits until it
 * answers. A server that an earlier, killed process left on the same file is ended first.
 * @throws 'port-taken', or 'temporal-away' with the end of its log when it does not become ready.
 */
export async function startServer(options: ServerOptions): Promise<TemporalServer> {
  const { binary, folder, headless = false } = options;
  await mkdir(folder, { recursive: true });
  const database = join(folder, 'temporal.db');
  const pidFile = join(folder, 'temporal.pid');
  const logFile = join(folder, 'temporal.log');
  await endOrphan(pidFile, database);
  const port = options.port ?? (await anyPort());
  await refuseTaken(port);
  const uiPort = options.uiPort ?? (options.port === undefined ? await anyPort() : port + 1000);
  if (!headless) await refuseTaken(uiPort);
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--db-filename', database];
  args.push(...(headless ? ['--headless'] : ['--ui-port', String(uiPort)]), '--log-level', 'warn');
  for (const key of Object.values(searchKeys)) args.push('--search-attribute', `${key.name}=${typeName(key)}`);
  for (const [name, value] of Object.entries(options.dynamicConfig ?? {}))
    args.push('--dynamic-config-value', `${name}=${value}`);
  const child = execa(binary, args, {
    stdin: 'ignore',
    stdout: { file: logFile },
    stderr: { file: logFile },
    buffer: false,
    reject: false,
    cleanup: true,
    forceKillAfterDelay: 10_000,
    // A Ctrl-C on the terminal is for us: we stop the workers first, then the server.
    detached: true,
  });
  await writeFile(pidFile, `${String(child.pid ?? 0)}\n`);
  let alive = true;
  const ended = child.then(async () => {
    alive = false;
    await rm(pidFile, { force: true });
  });
  const address = `127.0.0.1:${String(port)}`;
  if (!(await isReady(address, options.readyMs ?? 60_000, () => alive))) {
    child.kill();
    await ended;
    const tail = (await readFile(logFile, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-3).join(' | ');
    throw new SealiftError('temporal-away', `the Temporal server did not become ready: ${tail}`, {
      hint: `see ${logFile}`,
    });
  }
  return {
    address,
    uiUrl: headless ? null : `http://127.0.0.1:${String(uiPort)}`,
    pid: child.pid ?? 0,
    ended,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

/** Answers, has its namespace and knows the search attributes. */
async function isReady(address: string, readyMs: number, alive: () => boolean): Promise<boolean> {
  const until = Date.now() + readyMs;
  while (alive() && Date.now() < until) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 1_000 });
      try {
        if ((await missingSearchAttributes(connection, namespace)).length === 0) return true;
      } finally {
        await connection.close();
      }
    } catch {
      // Not yet.
    }
    await delay(50);
  }
  return false;
}

/** Two servers on one file would spoil it. Only a process whose command line names that very file is ended. */
async function endOrphan(pidFile: string, database: string): Promise<void> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  if (!(pid > 1)) return;
  const isOurs = async (): Promise<boolean> => {
    const line = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '');
    return line.split('\0').includes(database);
  };
  for (let round = 0; await isOurs(); round++) {
    if (round % 100 === 0) process.kill(pid, round === 0 ? 'SIGTERM' : 'SIGKILL');
    await delay(50);
  }
  await rm(pidFile, { force: true });
}

async function refuseTaken(port: number): Promise<void> {
  const server = await listen(port).catch((error: unknown) => {
    throw new SealiftError('port-taken', `port ${String(port)} for the Temporal server is in use`, {
      hint: 'a Temporal server may run already: name it by TEMPORAL_ADDRESS, or choose another port',
      cause: error,
    });
  });
  await new Promise((resolve) => server.close(resolve));
}

function listen(port: number): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      resolve(server);
    });
  });
}
