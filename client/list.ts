import type { WorkflowExecutionInfo } from '@temporalio/client';
import { SealiftError } from '../domain/error.ts';
import { vmName, vmUuid } from '../domain/names.ts';
import { migrationWorkflowId } from '../domain/migration.ts';
import { searchKeys } from '../workflows/search-attributes.ts';
import { asSealift } from './errors.ts';
import type { Link } from './link.ts';
import type { MoveSummary } from './types.ts';

const kinds: Record<string, MoveSummary['kind']> = { migrateVm: 'migrate', revertVm: 'revert', finishHold: 'finish' };

/**
 * Migrations, reverts and finishes (`open`: those that still run) as Temporal's visibility has them: those that run and those that
 * ended last, up to `limit` (at least 1, default 100); newest first.
 */
export async function listMoves(
  link: Link,
  filter: { open?: boolean; vm?: string; limit?: number } = {},
): Promise<MoveSummary[]> {
  const { limit = 100 } = filter;
  const terms = ['WorkflowType IN ("migrateVm", "revertVm", "finishHold")', 'ExecutionStatus != "ContinuedAsNew"'];
  if (filter.open === true) terms.push('ExecutionStatus = "Running"');
  if (filter.vm !== undefined) terms.push(isVm(filter.vm));
  return asSealift({ address: link.address }, async () => {
    const found: MoveSummary[] = [];
    // Temporal gives open workflows first, then by their end; it takes no other order everywhere.
    for await (const one of link.client.workflow.list({ query: terms.join(' AND '), pageSize: limit })) {
      found.push(summary(one));
      if (found.length >= limit) break;
    }
    return found.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  });
}

/** Checked by schema first: the text goes into a query. */
function isVm(vm: string): string {
  const uuid = vmUuid.safeParse(vm);
  if (uuid.success) return `WorkflowId = "${migrationWorkflowId(uuid.data)}"`;
  const name = vmName.safeParse(vm);
  if (!name.success) throw new SealiftError('bad-usage', `${JSON.stringify(vm)} is neither a VM's name nor a uuid`);
  return `SealiftVm = "${name.data}"`;
}

/** A workflow about a VM, by its search attributes. */
export function summary(one: Omit<WorkflowExecutionInfo, 'raw'>): MoveSummary {
  const attributes = one.typedSearchAttributes;
  return {
    workflowId: one.workflowId,
    kind: kinds[one.type] ?? 'migrate',
    vmUuid: one.workflowId.slice('migrate/'.length),
    vmName: attributes.get(searchKeys.vm) ?? null,
    from: attributes.get(searchKeys.source) ?? null,
    to: attributes.get(searchKeys.destination) ?? null,
    method: attributes.get(searchKeys.method) ?? null,
    phase: attributes.get(searchKeys.phase) ?? null,
    token: attributes.get(searchKeys.token) ?? null,
    running: one.status.name === 'RUNNING',
    startedAt: one.startTime.toISOString(),
    closedAt: one.closeTime?.toISOString() ?? null,
  };
}
