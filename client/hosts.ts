import type { Client } from '@temporalio/client';
import { controlTaskQueue } from '../domain/migration.ts';
import type { HostCard } from '../domain/survey.ts';
import { hostWorkflowId } from '../workflows/contract.ts';
import type { HostEntry } from '../workflows/contract.ts';
import type { hostEntry } from '../workflows/host-entry.ts';
import { askAll, askHost } from './ask-host.ts';
import { asSealift } from './errors.ts';
import type { Link } from './link.ts';
import type { HostSummary } from './types.ts';

/** Tells the directory of a host; its worker calls this at every start, also when no control worker runs. */
export async function registerHost(client: Client, card: HostCard): Promise<void> {
  await client.workflow.signalWithStart<typeof hostEntry, [HostCard]>('hostEntry', {
    workflowId: hostWorkflowId(card.name),
    taskQueue: controlTaskQueue,
    args: [null],
    signal: 'register',
    signalArgs: [card],
    staticSummary: `host ${card.name} (${card.site})`,
  });
}

/** Names of all hosts that ever registered, in alphabetical order. */
export async function hostNames(link: Link): Promise<string[]> {
  return asSealift({ address: link.address }, async () => {
    const names: string[] = [];
    const query = 'WorkflowType = "hostEntry" AND ExecutionStatus = "Running"';
    for await (const one of link.client.workflow.list({ query })) names.push(one.workflowId.slice('host/'.length));
    return names.sort();
  });
}

/** Every host, by its own word now, or by what it registered when it is away. */
export async function listHosts(link: Link): Promise<HostSummary[]> {
  const names = await hostNames(link);
  const { answers } = await askAll(names, (host) => askHost(link, host, 'hostCard'));
  return Promise.all(
    names.map(async (name): Promise<HostSummary> => {
      const entry = await registered(link, name);
      const card = answers.find((one) => one.host === name)?.answer;
      return {
        name,
        card: card ?? entry?.card ?? null,
        away: card === undefined,
        registeredAt: entry?.registeredAt ?? null,
      };
    }),
  );
}

/** What the directory knows; null when no control worker answers, which must not hide the hosts that do. */
async function registered(link: Link, host: string): Promise<HostEntry | null> {
  try {
    return await link.client.connection.withDeadline(Date.now() + link.hostMs, () =>
      link.client.workflow.getHandle(hostWorkflowId(host)).query<HostEntry | null>('card'),
    );
  } catch {
    return null;
  }
}
