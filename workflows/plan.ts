import type { ConcernName } from '../domain/concern-kinds.ts';
import { concern, note, refusal } from '../domain/concern.ts';
import type { Method } from '../domain/names.ts';
import { crossingDisks, isMemory } from '../domain/manifest.ts';
import { protocolVersion } from '../domain/protocol.ts';
import type { Concern, DestinationSurvey, LinkSurvey, SourceSurvey, VmSummary } from '../domain/survey.ts';

/** A move as it would happen: what the three surveys say, joined. */
export interface Plan {
  vmUuid: string;
  vmName: string;
  from: string;
  to: string;
  method: Method;
  state: SourceSurvey['state'];
  disks: SourceSurvey['disks'];
  placement: DestinationSurvey['placement'];
  totalBytes: number;
  /** The guest is saved with its memory, whose image is the disk `memory`. */
  keepMemory: boolean;
  rttMs: number;
  concerns: Concern[];
  /** Whether a concern refuses the move. */
  refused: boolean;
}

/** What a host that takes no part in the move has of its VM; `away` when it did not answer. */
export interface Other {
  host: string;
  vm: VmSummary | null | 'away';
}

/**
 * Joins the surveys of both hosts and of the line between them with what other hosts say; pure, so that workflow and client
 * say the same.
 */
export function joinPlan(
  method: Method,
  source: SourceSurvey,
  destination: DestinationSurvey,
  link: LinkSurvey,
  others: Other[],
): Plan {
  const same = source.host.name === destination.host.name;
  // All that the surveys have against a host beside itself follows from this.
  const concerns = same
    ? [sameHost(source)]
    : unique([
        ...source.concerns.filter(({ name }) => link.answered !== true || !answeredThere.has(name)),
        ...destination.concerns,
        ...link.concerns,
        ...jointConcerns(method, source, destination),
        ...others.flatMap((other) => concernsOf(other, source)),
      ]);
  return {
    vmUuid: source.vmUuid,
    vmName: source.vmName,
    from: source.host.name,
    to: destination.host.name,
    method,
    state: source.state,
    disks: source.disks,
    placement: destination.placement,
    totalBytes: crossingDisks(source.disks).reduce((sum, disk) => sum + disk.sizeBytes, 0),
    keepMemory: source.disks.some(isMemory),
    rttMs: link.rttMs,
    concerns,
    refused: concerns.some((one) => one.severity === 'refuses'),
  };
}

function sameHost({ vmName, host }: SourceSurvey): Concern {
  return refusal('same-host', `${vmName} is on ${host.name} already`);
}

/** What a source can only suppose: the destination has said what becomes of it. */
const answeredThere = new Set<string>(['dom0-setting', 'cdrom-image', 'vif-script'] satisfies ConcernName[]);

/** What only the sight of both hosts shows. */
function jointConcerns(method: Method, source: SourceSurvey, destination: DestinationSurvey): Concern[] {
  const concerns: Concern[] = [];
  const from = source.host;
  const to = destination.host;
  const refuse = (...told: Parameters<typeof refusal>): void => {
    concerns.push(refusal(...told));
  };
  if (from.identity === to.identity) {
    refuse('copied-host', `${from.name} and ${to.name} have the same identity`);
  }
  for (const host of [from, to]) {
    if (host.protocolVersion === protocolVersion) continue;
    const speaks = `${host.name} speaks version ${String(host.protocolVersion)}`;
    refuse('too-old', `${speaks}, this needs ${String(protocolVersion)}`);
  }
  for (const [here, there] of [
    [from, to.name],
    [to, from.name],
  ] as const) {
    if (here.peers.includes(there)) continue;
    refuse(
      'unknown-peer',
      `${here.name} does not trust ${there}`,
      `on ${there}: sealift host show; on ${here.name}: sealift host trust ${there} IDENTITY`,
    );
  }
  if (method === 'staged' && to.staging === null) {
    refuse('staged-unready', `${to.name} has no [staging] in its file`);
  }
  if (method === 'tunnel' && from.esp !== to.esp) {
    const wants = `${from.name} wants ESP by ${String(from.esp)}, ${to.name} by ${String(to.esp)}`;
    refuse('tunnel-unready', wants, 'set the same esp in [tunnel] of both');
  }
  // The image of memory has a place of its own.
  const unplaced = crossingDisks(source.disks).filter(
    (disk) => !isMemory(disk) && !destination.placement.some((place) => place.vdev === disk.vdev),
  );
  for (const disk of unplaced) {
    if (destination.concerns.some((one) => one.severity === 'refuses')) continue;
    refuse('no-space', `no pool of ${to.name} takes disk ${disk.vdev}`, 'choose another pool (--pool)');
  }
  return concerns;
}

/** A VM has one holder; a copy that a host handed over, or a landing that came to nothing, is in nobody's way. */
function concernsOf({ host, vm }: Other, { vmName, vmUuid }: SourceSurvey): Concern[] {
  if (vm === null) return [];
  if (vm === 'away') {
    return [note('not-asked', `${host} cannot be asked whether it has ${vmName}`)];
  }
  const holds = vm.deed?.state === 'holder';
  if (!holds && vm.state === 'stopped' && vm.deed !== null) return [];
  const name = holds || vm.state !== 'stopped' ? 'held-elsewhere' : 'seen-elsewhere';
  const text = `${host} has a VM of the same uuid ${vmUuid}: ${vm.vmName}, ${vm.state}${holds ? ', with a deed' : ''}`;
  return [concern(name, text, `compare them before one is moved: sealift vm inspect ${vmUuid} --host ${host}`)];
}

/** The same concern is often seen from both ends. */
function unique(concerns: Concern[]): Concern[] {
  const seen = new Set<string>();
  return concerns.filter((one) => {
    const key = `${one.name}\n${one.text}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
