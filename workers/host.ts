import { setTimeout as sleep } from 'node:timers/promises';
import { Runtime, Worker } from '@temporalio/worker';
import type { Connection } from '@temporalio/client';
import { Client } from '@temporalio/client';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { watchLateGuests } from '../activities/abort.ts';
import { hostActivities } from '../activities/index.ts';
import { hostCard } from '../activities/card.ts';
import { claimsKept, heedClaims, hostsToAsk } from '../activities/heed.ts';
import { closeHost, openHost } from '../activities/host.ts';
import type { Host } from '../activities/host.ts';
import { regainAll, watchLuns } from '../activities/held-luns.ts';
import { openConnection, temporalSettings } from '../client/connect.ts';
import type { TemporalSettings } from '../client/connect.ts';
import { exchangeClaims } from '../client/deed.ts';
import { registerHost } from '../client/hosts.ts';
import { isSealiftError } from '../domain/error.ts';
import { errorKind } from '../domain/error-types.ts';
import { hostTaskQueue } from '../domain/migration.ts';
import { nativeConnection, patienceMs } from './connection.ts';
import { announceReady } from './ready.ts';
import { onStop } from './stop.ts';
import { temporalLogger } from './temporal-log.ts';

/** Questions are answered while moves are under way; moves have a limit of their own. */
const activitySlots = 32;
/** How long a start waits for the other hosts' claims, in milliseconds. */
const claimAnswerMs = 2_000;
/** How long a start waits for the targets of its VMs' LUNs, in milliseconds. */
const lunAnswerMs = 20_000;
const notAsked = 'not all were asked whether an operator claimed a VM of this host';

/**
 * The process of one host: `host.ts HOST_FILE`. Polls the task queue `host.<name>`, and runs the landing and the transfers,
 * which go on while Temporal is away. Prints one JSON line when it is ready, logs to standard error.
 */
async function main(filePath: string): Promise<void> {
  const log = pino({ level: process.env.SEALIFT_LOG ?? 'info', base: null }, pino.destination({ dest: 2, sync: true }));
  Runtime.install({ logger: temporalLogger(log), shutdownSignals: [] });
  const settings = temporalSettings();
  const host = await openHost(filePath, log);
  try {
    await serve(host, settings, log);
  } catch (error) {
    await closeHost(host);
    throw error;
  }
}

async function serve(host: Host, settings: TemporalSettings, log: Logger): Promise<void> {
  const connection = await nativeConnection(settings);
  const worker = await Worker.create({
    connection,
    namespace: settings.namespace,
    taskQueue: hostTaskQueue(host.file.name),
    identity: `host/${host.file.name}`,
    activities: { ...hostActivities(host) },
    maxConcurrentActivityTaskExecutions: activitySlots,
    maxHeartbeatThrottleInterval: '1s',
    defaultHeartbeatThrottleInterval: '1s',
    shutdownGraceTime: 0,
    shutdownForceTime: '30s',
  });
  await register(host, settings);
  await hearClaims(host, settings);
  // Before anybody is told that this host is ready: xendomains may wait for it.
  await Promise.race([regainAll(host), sleep(lunAnswerMs, undefined, { ref: false })]);
  watchLateGuests(host);
  void watchLuns(host);
  const running = worker.run();
  onStop(async () => {
    worker.shutdown();
    await running;
    await connection.close();
    await closeHost(host);
    log.info({ host: host.file.name }, 'stopped');
  });
  announceReady({ host: host.file.name, identity: host.identity.name, landingPort: host.landing.port });
  await running;
}

async function register(host: Host, settings: TemporalSettings): Promise<void> {
  const connection: Connection = await openConnection(settings, patienceMs);
  try {
    await registerHost(new Client({ connection, namespace: settings.namespace }), await hostCard(host));
  } finally {
    await connection.close();
  }
}

/**
 * A host that comes back must not act on its records before it has heard whether an operator gave a VM of it to another. Those who
 * might know are asked; who does not answer is not waited for.
 */
async function hearClaims(host: Host, settings: TemporalSettings): Promise<void> {
  await heedClaims(host, claimsKept(host));
  const hosts = hostsToAsk(host);
  if (hosts.length === 0) return;
  const connection = await openConnection(settings, patienceMs);
  try {
    const client = new Client({ connection, namespace: settings.namespace });
    const link = { client, address: settings.address, hostMs: claimAnswerMs };
    const heard = await exchangeClaims(link, hosts, claimsKept(host));
    await heedClaims(host, heard.claims);
    if (heard.away.length > 0) host.log.warn({ away: heard.away }, notAsked);
  } catch (error) {
    if (!isSealiftError(error)) throw error;
    host.log.warn({ type: error.type, message: error.message }, notAsked);
  } finally {
    await connection.close();
  }
}

main(process.argv[2] ?? '').catch((error: unknown) => {
  if (!isSealiftError(error)) throw error;
  process.stderr.write(
    `sealift: ${error.message}  [${error.type}]\n${error.hint === undefined ? '' : `hint: ${error.hint}\n`}`,
  );
  process.exit(errorKind(error.type).exitCode ?? 1);
});
