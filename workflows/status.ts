import type { MigrationStatus } from '../domain/migration.ts';
import { phases } from '../domain/progress.ts';
import type { Phase } from '../domain/progress.ts';
import type { About, TaskState } from './state.ts';

/** The answer of the `status` query. */
export function statusOf(about: About, state: TaskState): MigrationStatus {
  const { trouble } = state;
  return {
    migrationId: about.migrationId,
    kind: about.kind,
    vmUuid: about.vmUuid,
    vmName: about.vmName,
    from: about.from,
    to: about.to,
    method: about.method,
    phase: shownPhase(state),
    waits: state.waits,
    waitsForPerson: state.waits.length > 0 && state.waitKind === 'person',
    done: state.done,
    lineage: state.lineage,
    token: state.token,
    root: state.root,
    concerns: state.concerns,
    paused: state.orders.paused === true,
    approvedBy: state.orders.approvedBy,
    progress: state.progress,
    error: trouble === null ? null : { type: trouble.type, message: trouble.message, hint: trouble.hint },
  };
}

/** The phase as people see it: a wait that somebody has to end comes before what it interrupts. */
export function shownPhase(state: TaskState): Phase {
  return state.waits.length > 0 && state.waitKind !== 'clock' ? 'waits' : state.phase;
}

/** The same for Temporal's Web UI, in Markdown. */
export function renderDetails(about: About, state: TaskState): string {
  const title = about.kind === 'migrate' ? about.method : about.kind;
  const lines = [`**${about.vmName}** ${about.from} → ${about.to} · ${title} · **${shownPhase(state)}**`, ''];
  for (const line of state.waits) lines.push(`> ${line}`);
  if (state.waits.length > 0) lines.push('');
  for (const one of state.done) {
    lines.push(`- ✓ ${one.phase} ${seconds(one.ms)}${one.note === '' ? '' : ` · ${one.note}`}`);
  }
  const ended = state.phase === 'done' || state.phase === 'aborted' || state.phase === 'failed';
  if (!ended) lines.push(`- … ${state.phase}`);
  if (about.kind === 'migrate' && !ended && state.phase !== 'undo') {
    const behind = phases.indexOf(state.phase as (typeof phases)[number]);
    const left = phases.slice(behind + 1).filter((one) => one !== 'gate');
    if (left.length > 0) lines.push(`- ${left.join(' · ')}`);
  }
  for (const one of state.concerns)
    lines.push(`- ${one.severity}: ${one.text}${one.remedy === null ? '' : ` (${one.remedy})`}`);
  if (state.orders.paused === true) lines.push('', 'Paused; the update `resume` goes on.');
  if (state.trouble !== null) lines.push('', `${state.trouble.message} \`${state.trouble.type}\``);
  if (state.trouble?.hint != null) lines.push(state.trouble.hint);
  if (state.root !== null) lines.push('', `root \`sha256:${state.root}\``);
  return lines.join('\n');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
