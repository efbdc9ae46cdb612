import type { Client } from '@temporalio/client';

/** As `temporal workflow reset --type FirstWorkflowTask` does. Returns the new run's id. */
export async function reset(client: Client, workflowId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const events = (await handle.fetchHistory()).events ?? [];
  const first = events.find((event) => event.workflowTaskCompletedEventAttributes != null);
  const { runId } = await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId: (await handle.describe()).runId },
    reason: 'test',
    requestId: String(Date.now()),
    workflowTaskFinishEventId: first?.eventId ?? null,
  });
  return runId;
}
