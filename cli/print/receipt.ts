import type { Receipt } from '../../client/index.ts';
import { formatBytes, formatClock, formatMs, formatRate, formatSecond } from '../format.ts';
import { staysWords } from './plan.ts';
import { phaseWord, plural } from '../live/words.ts';

/** The short receipt at the end of a move: what moved, how long the VM was down, and what can be done next. */
export function movedLines({ body }: Receipt): string[] {
  const { vmName, source, destination } = body;
  return [
    headline(body),
    '',
    ...fields([
      ['moved', movedWords(body)],
      ['root', `sha256:${body.root.slice(0, 12)}…${readBackWords(body)}`],
      ...body.disks.map(({ vdev, sizeBytes, digest }): Field => {
        return [vdev, `${formatBytes(sizeBytes)}, sha256:${digest.slice(0, 12)}…`];
      }),
      ...sharedFields(body),
      ['deed', `token ${body.token}, from ${source.name} to ${destination.name}`],
      ['phases', body.phases.map((one) => `${phaseWord(one.phase, body.method)} ${formatMs(one.ms)}`).join(' · ')],
      ...memoryFields(body),
      ...changeFields(body),
      ...probeFields(body.probe.filter((one) => !one.passed)),
      [
        'source',
        `kept and fenced on ${source.name}: sealift revert ${vmName} brings it back, sealift finish ${vmName} releases it`,
      ],
      ['receipt', `on both hosts: sealift receipt show ${vmName}`],
    ]),
  ];
}

/** The whole receipt, for `receipt show`. */
export function receiptLines({ body, signatures }: Receipt): string[] {
  const by = (['source', 'destination'] as const)
    .filter((side) => signatures[side] !== null)
    .map((side) => body[side].name);
  return [
    pastLine(body),
    '',
    ...fields([
      ['migration', body.migrationId],
      ['vm', `${body.vmUuid}, lineage ${body.lineage}`],
      ['from', `${body.source.name} ${body.source.identity}`],
      ['to', `${body.destination.name} ${body.destination.identity}`],
      ['method', body.method],
      ['token', String(body.token)],
      ['moved', movedWords(body)],
      ['root', body.root],
      ...body.disks.map((disk): Field => [disk.vdev, diskWords(disk)]),
      ...sharedFields(body),
      ...body.phases.map((one): Field => [
        phaseWord(one.phase, body.method),
        `${formatSecond(one.at)}  ${formatMs(one.ms)}`,
      ]),
      ...memoryFields(body),
      ...changeFields(body),
      ...body.concerns.map((text): Field => ['concern', text]),
      ...probeFields(body.probe),
      ...(body.approvedBy === null ? [] : [['approved', `by ${body.approvedBy}`] satisfies Field]),
      ['signed', by.length === 0 ? 'by nobody' : `by ${by.join(' and ')}`],
    ]),
  ];
}

type Body = Receipt['body'];
type Field = [name: string, text: string];

function headline(body: Body): string {
  const { vmName, destination, downMs } = body;
  const startedAt = startOf(body);
  return downMs === null || startedAt === null
    ? `${vmName} belongs to ${destination.name}; it was not running and was not started`
    : `${vmName} runs on ${destination.name} since ${formatClock(startedAt)} (down ${formatMs(downMs)})`;
}

/** What a receipt says later: the VM may have moved on since. */
function pastLine(body: Body): string {
  const { vmName, destination, downMs } = body;
  const startedAt = startOf(body);
  return downMs === null || startedAt === null
    ? `${vmName} was handed over to ${destination.name}; it was not running and was not started`
    : `${vmName} was started on ${destination.name} at ${formatSecond(startedAt)} (down ${formatMs(downMs)})`;
}

function startOf(body: Body): number | null {
  const start = body.phases.find((one) => one.phase === 'start');
  return start === undefined ? null : new Date(start.at).getTime() + start.ms;
}

function readBackWords({ disks }: Body): string {
  return disks.length === 0 ? '' : `, read back from ${plural(disks.length, 'disk')}`;
}

function movedWords(body: Body): string {
  if (body.disks.length === 0) return `no disk: both hosts reach ${body.shared?.length === 1 ? 'it' : 'them'}`;
  const move = body.phases.find((one) => one.phase === 'move');
  const words = `${formatBytes(body.plainBytes)} as ${formatBytes(body.wireBytes)} ${body.method}`;
  const speed =
    move === undefined || move.ms < 1
      ? ''
      : `, in ${formatMs(move.ms)} at ${formatRate((body.plainBytes / move.ms) * 1000)}`;
  return `${words}${speed}${body.retries === 0 ? '' : `, ${body.retries === 1 ? '1 retry' : `${body.retries} retries`}`}`;
}

function diskWords(disk: Body['disks'][number]): string {
  return `${formatBytes(disk.sizeBytes)}, sha256:${disk.digest}${disk.direct ? '' : ', not by O_DIRECT'}`;
}

function sharedFields({ shared = [] }: Body): Field[] {
  return shared.map(({ vdev, sizeBytes, lun }) => [vdev, `${formatBytes(sizeBytes)}, ${staysWords(lun)}`]);
}

function memoryFields({ memory }: Body): Field[] {
  if (memory === undefined) return [];
  return [
    ['memory', memory === 'kept' ? 'kept: the guest goes on where it was' : 'LOST: it was started anew from its disks'],
  ];
}

function changeFields(body: Body): Field[] {
  return body.changes.map((text, index) => [index === 0 ? 'changed' : '', text]);
}

function probeFields(checks: Body['probe']): Field[] {
  return checks.map((one) => ['probe', `${one.check} ${one.passed ? 'passed' : 'FAILED'}: ${one.detail}`]);
}

function fields(pairs: Field[]): string[] {
  return pairs.map(([name, text]) => `  ${name.padEnd(10)} ${text}`);
}
