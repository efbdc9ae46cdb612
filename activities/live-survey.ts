import { refusal } from '../domain/concern.ts';
import { crossingDisks } from '../domain/manifest.ts';
import type { DiskShape } from '../domain/manifest.ts';
import type { Concern, HostCard, SourceSurvey } from '../domain/survey.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { guestType } from '../xen/guest-type.ts';
import type { Host } from './host.ts';
import { olderXenConcern, settingConcerns } from './memory-survey.ts';

/** What stands against moving a running guest by `live`, at its source. */
export async function liveConcerns(host: Host, found: FoundVm, disks: DiskShape[]): Promise<Concern[]> {
  const concerns = [...besideConcerns(host), ...settingConcerns(found)];
  for (const { vdev } of crossingDisks(disks)) {
    const text = `disk ${vdev} is here alone: a guest that runs has it in use, and the destination does not reach it`;
    concerns.push(refusal('live-disk', text));
  }
  if (found.state !== 'running') {
    concerns.push(
      refusal('live-not-running', `${found.name} is ${found.state}: only a guest that runs can be moved live`),
    );
  }
  // Which pages are written while they are sent, Xen knows of PV guests by shadow paging alone, of others also by the processor's own.
  const type = found.config === null ? null : guestType(found.config);
  const { virtualization } = await host.toolstack.info();
  const needed = type === 'pv' ? ['shadow'] : ['shadow', 'hap'];
  if (type !== null && !needed.some((one) => virtualization.includes(one))) {
    const text = `the Xen of ${host.file.name} cannot tell which pages of ${type.toUpperCase()} guests are written while they are sent`;
    concerns.push(refusal('live-guest-type', text));
  }
  return concerns;
}

/** What a destination has against taking a guest that runs. */
export function liveConcernsThere(
  host: Host,
  { card, source, older }: { card: HostCard; source: SourceSurvey; older: boolean },
): Concern[] {
  return [...besideConcerns(host), ...(older ? [olderXenConcern(card, source)] : [])];
}

/** sudo stands between a program's pipes and the line, and stops with the program that it has started: xl would not hear that nobody talks to it. */
function besideConcerns({ file }: Host): Concern[] {
  if (file.dom0.access === 'local' || file.dom0.user === 'root') return [];
  return [refusal('live-beside', `the worker of ${file.name} enters its dom0 by sudo`)];
}
