import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { controlTaskQueue, migrationInput, migrationWorkflowId } from '../domain/migration.ts';
import type { MigrationRequest } from '../domain/migration.ts';
import { isSealiftError } from '../domain/error.ts';
import { joinPlan } from '../workflows/plan.ts';
import type { Other, Plan } from '../workflows/plan.ts';
import { finishInput, revertInput } from '../workflows/contract.ts';
import type { FinishResult, RevertResult } from '../workflows/contract.ts';
import { alreadyOpen } from './already-open.ts';
import { askHost } from './ask-host.ts';
import { asSealift } from './errors.ts';
import { moveHandle, taskHandle } from './handle.ts';
import type { Link } from './link.ts';
import type { MigrateRequest, MoveHandle, PlanRequest, RevertPlan, Sealift, TaskHandle, VmOnHost } from './types.ts';
import { askOthers, holderOf, isNamed, listVms, refuseSeveral } from './vms.ts';

/**
 * Starts a move under the VM's workflow id, which Temporal gives to one open workflow at a time. An open move of the same
 * migration is taken up as it is; one that `supersede` names is aborted first.
 */
export async function migrate(link: Link, request: MigrateRequest): Promise<MoveHandle> {
  const { vm, from, migrationId = randomUUID(), ...rest } = request;
  const wanted = parsed(migrationInput.omit({ vmUuid: true, vmName: true, from: true }), { ...rest, migrationId });
  // A destination that is away is told now, not by a workflow that waits for it.
  const [found] = await Promise.all([locate(link, vm, from), askHost(link, wanted.to, 'hostCard')]);
  const asked: MigrationRequest = { ...wanted, vmUuid: found.vmUuid, vmName: found.vmName, from: found.host };
  const input = parsed(migrationInput, asked);
  const summary = `${input.vmName}: ${input.from} → ${input.to} · ${input.method}`;
  const start = async (): Promise<MoveHandle> =>
    moveHandle(link, input.vmUuid, await startTask(link, 'migrateVm', input.vmUuid, input, summary));
  try {
    return await start();
  } catch (error) {
    if (!isSealiftError(error) || error.type !== 'already-migrating') throw error;
    const open = moveHandle(link, input.vmUuid);
    const status = await open.status().catch(() => null);
    if (status?.migrationId === migrationId) return open;
    if (status === null || status.migrationId !== input.supersede) throw alreadyOpen(status, error);
    await open.abort();
    await open.result().catch(() => undefined);
    return start();
  }
}

/** Asks both hosts what the move would be; no workflow, nothing changed. */
export async function plan(link: Link, request: PlanRequest): Promise<Plan> {
  const { method = 'sealed', pool, keepMemory, to, migrationId, supersede } = request;
  const found = await locate(link, request.vm, request.from);
  const destination = await askHost(link, to, 'hostCard');
  const about = { vmUuid: found.vmUuid, to, method, keepMemory, migrationId, supersede };
  const source = await askHost(link, found.host, 'surveySource', about);
  const [there, line, others] = await Promise.all([
    askHost(link, to, 'surveyDestination', { source, method, ...(pool === undefined ? {} : { pool }) }),
    askHost(link, found.host, 'surveyLink', { vmUuid: found.vmUuid, method, destination }),
    othersOf(link, found, to),
  ]);
  return joinPlan(method, source, there, line, others);
}

async function othersOf(link: Link, { vmUuid, host }: Located, to: string): Promise<Other[]> {
  const { answers, away } = await askOthers(link, vmUuid, [host, to]);
  return [
    ...answers.map((one): Other => ({ host: one.host, vm: one.answer })),
    ...away.map((one): Other => ({ host: one, vm: 'away' })),
  ];
}

/** Who holds the VM, who would get it back, and since when writes would stay behind. */
export async function planRevert(link: Link, vm: string): Promise<RevertPlan> {
  const { holder, origin } = await holdOf(link, vm);
  await askHost(link, origin.host, 'checkHold', { vmUuid: origin.vmUuid });
  const { ranSince } = await askHost(link, holder.host, 'inspectVm', { vm: origin.vmUuid });
  return {
    vmUuid: origin.vmUuid,
    vmName: holder.vmName,
    from: holder.host,
    to: origin.host,
    writesSince: ranSince,
  };
}

/** Takes the VM back. A move that has ceded the deed but cannot start the VM is ended first. */
export async function revert(link: Link, request: Parameters<Sealift['revert']>[0]): Promise<TaskHandle<RevertResult>> {
  const { vm, confirm, ...rest } = request;
  const { holder, origin } = await holdOf(link, vm);
  const input = parsed(revertInput, {
    ...rest,
    migrationId: randomUUID(),
    vmUuid: origin.vmUuid,
    vmName: holder.vmName,
    confirm,
    from: holder.host,
    to: origin.host,
  });
  if (confirm !== input.vmName) {
    throw new SealiftError(
      'confirmation-mismatch',
      `${JSON.stringify(confirm)} is not the name of the VM ${input.vmName}`,
    );
  }
  const summary = `${input.vmName}: back from ${input.from} to ${input.to}`;
  const start = (): Promise<string> => startTask(link, 'revertVm', input.vmUuid, input, summary);
  try {
    return taskHandle(link, input.vmUuid, await start());
  } catch (error) {
    if (!isSealiftError(error) || error.type !== 'already-migrating') throw error;
    const move = moveHandle(link, input.vmUuid);
    await move.leave().catch(async () => {
      throw alreadyOpen(await move.status().catch(() => null), error);
    });
    await move.result().catch(() => undefined);
    return taskHandle(link, input.vmUuid, await start());
  }
}

/** Ends the hold of the VM's fenced copy. */
export async function finish(link: Link, request: { vm: string; by: string }): Promise<TaskHandle<FinishResult>> {
  const { newest, origins } = await holdsOf(link, request.vm);
  // Of a VM that went on from one host to the next, each still keeps its copy: the newest first, one by one.
  const origin = origins.find((one) => !one.ceded.released) ?? newest;
  const input = parsed(finishInput, {
    migrationId: randomUUID(),
    vmUuid: origin.vmUuid,
    vmName: origin.vmName,
    host: origin.host,
    holder: origin.ceded.peer,
    token: origin.ceded.token,
    by: request.by,
  });
  const summary = `${input.vmName}: release the copy on ${input.host}`;
  return taskHandle(link, input.vmUuid, await startTask(link, 'finishHold', input.vmUuid, input, summary));
}

interface Located {
  vmUuid: string;
  vmName: string;
  host: string;
}

async function locate(link: Link, vm: string, from: string | undefined): Promise<Located> {
  const summary =
    from === undefined
      ? await holderOf(link, vm)
      : { ...(await askHost(link, from, 'inspectVm', { vm })).summary, host: from };
  if (summary.vmUuid === null) {
    throw new SealiftError(
      'preflight-refused',
      `${summary.vmName} on ${summary.host} has no uuid in its configuration`,
      {
        hint: 'add uuid="..." to the configuration',
      },
    );
  }
  return { vmUuid: summary.vmUuid, vmName: summary.vmName, host: summary.host };
}

/** The two ends of a VM's newest hold: who has the deed, or has signed it back, and who still keeps the fenced copy it came from. */
async function holdOf(link: Link, vm: string): Promise<{ holder: VmOnHost; origin: Kept }> {
  const { newest: origin, named, silent } = await holdsOf(link, vm);
  const others = named.filter(({ host, deed }) => host !== origin.host && deed?.lineage === origin.deed.lineage);
  const holder =
    others.find(({ deed }) => deed?.state === 'holder') ??
    others.find(({ deed }) => deed?.state === 'receiving') ??
    others.find(({ deed }) => deed?.state === 'none' && deed.token === origin.ceded.token + 1);
  if (holder?.deed == null) throw new SealiftError('revert-refused', `no host that answers holds ${vm}${silent}`);
  if (holder.deed.state === 'holder' && holder.deed.token !== origin.ceded.token) {
    const text = `${vm} cannot go back to ${origin.host}: a move of it was begun on ${holder.host} since it came`;
    refuseUnstarted(vm, named, text);
    const hint = `sealift finish ${vm} releases the copy at ${origin.host}`;
    throw new SealiftError('revert-refused', text, origin.ceded.released ? {} : { hint });
  }
  return { holder, origin };
}

/** A host that has ceded a VM which did not come back to it, and its fenced copy. */
type Kept = VmOnHost & { vmUuid: string; deed: Deed; ceded: NonNullable<Deed['ceded']> };
type Deed = NonNullable<VmOnHost['deed']>;

/** All fenced copies of a VM, that of the newest token first: a VM that has moved twice has two. */
async function holdsOf(
  link: Link,
  vm: string,
): Promise<{ newest: Kept; origins: Kept[]; named: VmOnHost[]; silent: string }> {
  const { vms, away } = await listVms(link);
  const named = vms.filter((one) => isNamed(one, vm));
  const silent = away.length > 0 ? `; ${away.join(', ')} cannot be asked` : '';
  if (named.length === 0) throw new SealiftError('unknown-vm', `no host has a VM ${vm}${silent}`);
  refuseSeveral(vm, named);
  const origins = named
    .flatMap(({ vmUuid, deed, ...rest }): Kept[] =>
      vmUuid === null || deed?.ceded == null ? [] : [{ ...rest, vmUuid, deed, ceded: deed.ceded }],
    )
    .sort((a, b) => b.ceded.token - a.ceded.token);
  const [newest] = origins;
  if (newest === undefined) {
    const text = `no host keeps a fenced copy of ${vm} that it handed over${silent}`;
    refuseUnstarted(vm, named, text);
    throw new SealiftError('revert-refused', text);
  }
  return { newest, origins, named, silent };
}

/** A revert that was terminated between taking the VM back and starting it leaves it fenced at its holder. */
function refuseUnstarted(vm: string, named: VmOnHost[], text: string): void {
  const back = named.find(({ deed, fenced }) => deed?.state === 'holder' && fenced && deed.runToken === 0);
  if (back === undefined) return;
  throw new SealiftError('revert-refused', `${text}: it is back on ${back.host} and was not started`, {
    hint: `sealift abort ${vm} takes its fence off and starts it there`,
  });
}

async function startTask(
  link: Link,
  type: string,
  uuid: string,
  input: unknown,
  staticSummary: string,
): Promise<string> {
  const workflowId = migrationWorkflowId(uuid);
  return asSealift({ address: link.address, workflowId }, async () => {
    const handle = await link.client.workflow.start(type, {
      workflowId,
      taskQueue: controlTaskQueue,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary,
    });
    return handle.firstExecutionRunId;
  });
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new SealiftError('bad-usage', `${issue?.path.join('.') ?? 'the request'}: ${issue?.message ?? 'does not fit'}`);
}
