import type { DeedReport, DeedView } from '../../client/index.ts';
import { formatMoment, formatTable } from '../format.ts';

/** `deed show`: the hosts side by side, what each means by it, and what people chose. */
export function deedLines({ reports }: DeedView): string[] {
  return [
    ...headOf(reports),
    '',
    ...formatTable(['', ...reports.map(({ host }) => host)], sides(reports)),
    '',
    ...reports.map(({ host, standing }) => `${host}: ${standing}`),
    ...reports.flatMap(warnings),
    ...eventLines(reports),
  ];
}

/** `deed explain`: each step at each host, and by which command a person does it. */
export function explainLines({ reports }: DeedView): string[] {
  return [
    ...headOf(reports),
    ...reports.flatMap(({ host, standing, steps }) => [
      '',
      `${host}: ${standing}`,
      ...steps.map(({ step, possible, why }) => {
        const word = possible ? 'yes' : 'no ';
        return `  ${word}  ${step.padEnd(10)} ${possible ? means[step] : (why ?? '')}`;
      }),
    ]),
  ];
}

/** What a step is, and who does it. */
const means: Record<DeedReport['steps'][number]['step'], string> = {
  start: 'start its domain here',
  stop: 'shut it down for the open run',
  fence: 'fence its copy for the open run',
  open: 'begin a move from here: sealift migrate',
  receive: 'take in what is offered: the move does it',
  ready: 'when all has landed and was read back, sign READY: the move does it',
  cede: 'sign it over to the destination: the move does it',
  abort: 'leave it here: sealift abort; without Temporal sealift deed abort',
  accept: 'take what was signed over: the move does it; without Temporal sealift deed take',
  'give-back': 'give it back: sealift revert; without Temporal sealift deed give-back',
  'take-back': 'take what was given back: the revert does it; without Temporal sealift deed take',
  revert: 'its copy is kept here for a revert',
  finish: 'end the hold: sealift finish',
  gc: 'remove a copy that is not needed: sealift gc',
  claim: 'only when the other host is gone for good: sealift deed claim',
  heed: "give it up by an operator's claim: its worker's start does it, or sealift deed heed",
};

function headOf(reports: DeedReport[]): string[] {
  const [first] = reports;
  if (first === undefined) return [];
  const lineage = reports.find(({ record }) => record !== null)?.record?.lineage;
  return [`${first.vmName}  ${first.vmUuid}  ${lineage === undefined ? 'not adopted' : `lineage ${lineage}`}`];
}

function sides(reports: DeedReport[]): string[][] {
  const row = (name: string, cell: (report: DeedReport) => string): string[] => [name, ...reports.map(cell)];
  return [
    row('record', ({ record }) => (record === null ? 'none' : `${record.state}, token ${record.token}`)),
    row('run', runWord),
    row('domain', ({ domain }) => domain),
    row('fence', ({ record }) => (record?.fenced === true ? 'on' : 'off')),
    row('disks', diskWord),
    row('marks', ({ disks }) => [...new Set(disks.flatMap(({ mark }) => mark ?? []))].join(' and ') || 'none'),
    row('under way', ({ intents }) => intents.map(({ what }) => what).join(', ') || 'nothing'),
    row(
      'signed',
      ({ statements }) => statements.map(({ body }) => `${body.kind} ${body.token}`).join(', ') || 'nothing',
    ),
    row(
      'permits',
      ({ steps }) => steps.flatMap(({ step, possible }) => (possible ? step : [])).join(', ') || 'nothing',
    ),
  ];
}

function runWord({ runs }: DeedReport): string {
  const last = runs.at(-1);
  if (last === undefined) return 'none';
  return `${last.token} ${last.state}, ${last.role === 'source' ? 'to' : 'from'} ${last.peer}`;
}

function diskWord({ disks }: DeedReport): string {
  if (disks.length === 0) return 'none known';
  const there = disks.filter((one) => one.there).length;
  const fenced = disks.filter((one) => one.fenced).length;
  return `${there} of ${disks.length} there, ${fenced} locked`;
}

/** What a person must not miss. */
function warnings({ host, record, domain, disks, vmName }: DeedReport): string[] {
  const alive = domain !== 'stopped' && domain !== 'unknown';
  const may = record === null || record.state === 'holder';
  return [
    ...(alive && !may ? [`WARNING: ${vmName} has a domain on ${host}, which has no right to it`] : []),
    ...disks.filter(({ there }) => !there).map(({ vdev }) => `WARNING: disk ${vdev} is not there on ${host}`),
  ];
}

function eventLines(reports: DeedReport[]): string[] {
  const rows = reports.flatMap(({ host, events }) =>
    events.map(({ at, who, what, detail }) => [formatMoment(at), host, who, what, detail]),
  );
  return rows.length === 0 ? [] : ['', ...formatTable(['WHEN', 'HOST', 'WHO', 'WHAT', ''], rows)];
}
