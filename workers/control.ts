import { homedir } from 'node:os';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { openConnection, temporalSettings } from '../client/connect.ts';
import type { TemporalSettings } from '../client/connect.ts';
import { toSealiftError } from '../client/errors.ts';
import { SealiftError } from '../domain/error.ts';
import { errorKind } from '../domain/error-types.ts';
import { controlTaskQueue } from '../domain/migration.ts';
import { missingSearchAttributes, typeName } from './search-attributes.ts';
import { workflowBundle } from './bundle.ts';
import { nativeConnection, patienceMs } from './connection.ts';
import { onStop } from './stop.ts';

export interface ControlWorker {
  /** Stops taking tasks and resolves when those in hand are done. */
  stop(): Promise<void>;
  /** Resolves when it has stopped; rejects when it failed. */
  done: Promise<void>;
}

/**
 * Starts the worker that runs the workflows; it never sees a disk, a key or a configuration.
 * @throws 'temporal-away' when no server answers, 'bad-config' when search attributes are missing and cannot be registered.
 */
export async function startControlWorker(options: {
  settings: TemporalSettings;
  /** Keeps the prebuilt workflow bundle. */
  bundleFolder: string;
}): Promise<ControlWorker> {
  const { settings, bundleFolder } = options;
  await registerSearchAttributes(settings);
  const codePath = await workflowBundle(bundleFolder);
  const connection = await nativeConnection(settings);
  const worker = await Worker.create({
    connection,
    namespace: settings.namespace,
    taskQueue: controlTaskQueue,
    workflowBundle: { codePath },
    identity: `control/${String(process.pid)}`,
    maxCachedWorkflows: 200,
    workflowTaskPollerBehavior: { type: 'autoscaling', minimum: 2, maximum: 10 },
  });
  const run = worker.run();
  const done = run.finally(() => connection.close());
  let stopping = false;
  return {
    done,
    stop: async () => {
      if (!stopping && worker.getState() === 'RUNNING') worker.shutdown();
      stopping = true;
      await done;
    },
  };
}

/** A workflow that writes an unknown search attribute stands still without a word, so they are made sure of here. */
async function registerSearchAttributes(settings: TemporalSettings): Promise<void> {
  const { address, namespace } = settings;
  const connection = await openConnection(settings, patienceMs);
  try {
    const missing = await missingSearchAttributes(connection, namespace);
    if (missing.length === 0) return;
    const commands = missing.map((key) => `--name ${key.name} --type ${typeName(key)}`).join(' ');
    try {
      await connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(
          missing.map((key) => [key.name, key.type === 'INT' ? indexedInt : indexedKeyword]),
        ),
      });
    } catch (error) {
      throw new SealiftError(
        'bad-config',
        `the namespace ${namespace} lacks search attributes and takes none from here`,
        {
          hint: `temporal operator search-attribute create ${commands}`,
          cause: error,
        },
      );
    }
  } catch (error) {
    throw toSealiftError(error, { address });
  } finally {
    await connection.close();
  }
}

/** `temporal.api.enums.v1.IndexedValueType` */
const indexedKeyword = 2;
const indexedInt = 3;

async function main(): Promise<void> {
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      process.stderr.write(`${JSON.stringify({ level, message, ...meta })}\n`);
    }),
    telemetryOptions: { logging: { forward: {}, filter: { core: 'WARN', other: 'WARN' } } },
    // onStop decides, so that a second signal ends the process at once.
    shutdownSignals: [],
  });
  const settings = temporalSettings();
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const worker = await startControlWorker({ settings, bundleFolder: process.argv[2] ?? join(cache, 'sealift') });
  onStop(() => worker.stop());
  const ready = { ready: true, worker: 'control', taskQueue: controlTaskQueue, address: settings.address };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  await worker.done;
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    const { type, message, hint } = toSealiftError(error, { address: 'the configured address' });
    process.stderr.write(`sealift: ${message}  [${type}]\n${hint === undefined ? '' : `hint: ${hint}\n`}`);
    process.exit(errorKind(type).exitCode ?? 1);
  });
}
