import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { errorCode } from '../../../dom0/system-errors.ts';
import type { World } from '../../support/world.ts';
import { ownProcesses } from './processes.ts';

/** What must be seen nowhere but where it belongs. */
export interface Secrets {
  /** Begins every canary in the content of a disk. */
  content: string;
  /** Begins every canary in a configuration. */
  config: string;
  /** Keys of sessions, 32 bytes each. */
  keys: Buffer[];
}

/** Where under a world's folder what may lie: the first pattern that fits counts. */
const allowed: { where: RegExp; may: ('content' | 'config' | 'identity' | 'run key')[] }[] = [
  { where: /^hosts\/[^/]+\/pool\//, may: ['content'] },
  { where: /^hosts\/[^/]+\/dom0\/(etc|run|var)\//, may: ['config'] },
  { where: /^hosts\/[^/]+\/state\/host\.db/, may: ['config'] },
  { where: /^hosts\/[^/]+\/state\/identity\.key$/, may: ['identity'] },
  { where: /^hosts\/[^/]+\/state\/run-keys\//, may: ['run key'] },
];

/** No secret in the world's files (logs, temporary files, containers, databases) where it does not belong. */
export function judgeFiles(world: World, secrets: Secrets, more: string[] = []): string[] {
  return [world.folder, ...more].flatMap((folder) =>
    filesUnder(folder).flatMap((path) => {
      const name = relative(world.folder, path);
      if (name.startsWith('cache')) return [];
      const may = allowed.find(({ where }) => where.test(name))?.may ?? [];
      // A disk may hold anything: whatever its guest was given.
      if (may.includes('content')) return [];
      return seen(contentOf(path), secrets, may).map((what) => `${name} has ${what}`);
    }),
  );
}

/** Empty for a file that has gone since it was listed: databases make and remove some all the time. */
function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** No secret in the arguments or the environment of any of the world's processes. */
export function judgeProcesses(world: World, secrets: Secrets): string[] {
  return ownProcesses(world).flatMap(({ pid, commandLine, environment }) => [
    ...seen(Buffer.from(commandLine), secrets, []).map(
      (what) => `the arguments of process ${String(pid)} have ${what}`,
    ),
    ...seen(Buffer.from(environment), secrets, []).map(
      (what) => `the environment of process ${String(pid)} has ${what}`,
    ),
  ]);
}

/** No secret in the histories of a VM's workflows: inputs, results, heartbeats, failures. Those in `read` had ended when they were read. */
export async function judgeHistories(
  client: Client,
  secrets: Secrets,
  workflowId: string,
  read: Set<string>,
): Promise<string[]> {
  const complaints: string[] = [];
  for await (const { runId, status } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    if (read.has(runId)) continue;
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const text = JSON.stringify(historyToJSON(history)).replaceAll(/"data":"([^"]*)"/g, (_, data: string) =>
      Buffer.from(data, 'base64').toString('latin1'),
    );
    const found = seen(Buffer.from(text), secrets, []);
    if (found.length === 0 && status.name !== 'RUNNING') read.add(runId);
    complaints.push(...found.map((what) => `the history of ${workflowId} has ${what}`));
  }
  return complaints;
}

/** No secret in what steps that are under way have told with their heartbeats; no history has that. */
export function judgeHeartbeats({ workflowId, raw }: WorkflowExecutionDescription, secrets: Secrets): string[] {
  return (raw.pendingActivities ?? []).flatMap(({ activityType, heartbeatDetails, lastFailure }) => {
    const told = Buffer.concat((heartbeatDetails?.payloads ?? []).map(({ data }) => data ?? Buffer.alloc(0)));
    const failed = Buffer.from(JSON.stringify(lastFailure ?? null));
    return [told, failed]
      .flatMap((bytes) => seen(bytes, secrets, []))
      .map((what) => `${activityType?.name ?? 'a step'} of ${workflowId} tells ${what} while it goes on`);
  });
}

function seen(bytes: Buffer, secrets: Secrets, may: readonly string[]): string[] {
  const found: string[] = [];
  if (bytes.includes(secrets.content)) found.push("a disk's content");
  if (!may.includes('config') && bytes.includes(secrets.config)) found.push("a VM's configuration");
  if (!may.includes('identity') && bytes.includes('PRIVATE KEY')) found.push("a host's identity");
  if (!may.includes('run key') && ['AGE-SECRET-KEY', 'age-secret-key'].some((key) => bytes.includes(key)))
    found.push("a run's key");
  const forms = (key: Buffer): (Buffer | string)[] => [key, key.toString('hex'), key.toString('base64').slice(0, 42)];
  if (secrets.keys.some((key) => forms(key).some((form) => bytes.includes(form)))) found.push("a session's key");
  return found;
}

function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
