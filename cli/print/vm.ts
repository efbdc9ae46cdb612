import type { VmOnHost, VmReport } from '../../client/index.ts';
import { formatBytes } from '../format.ts';
import { concernLines } from './concerns.ts';

/** A VM's row in `vm list`. */
export function vmRow(vm: VmOnHost): string[] {
  return [
    vm.vmName,
    vm.host,
    stateWord(vm),
    deedWord(vm),
    formatBytes(vm.diskBytes),
    vm.state === 'stopped' ? '' : formatBytes(vm.memoryBytes),
    noteWord(vm),
  ];
}

/** A VM in `host show`. */
export function vmLine(vm: VmOnHost): string {
  const note = noteWord(vm);
  return `${vm.vmName}: ${stateWord(vm)}, deed ${deedWord(vm)}${note === '' ? '' : ` (${note})`}`;
}

/** The whole of `vm inspect`. */
export function vmLines(report: VmReport & { host: string }): string[] {
  const { summary, disks, marks, concerns } = report;
  const field = (name: string, text: string): string => `  ${name.padEnd(10)} ${text}`;
  return [
    `${summary.vmName} on ${report.host}`,
    '',
    field('uuid', summary.vmUuid ?? 'none'),
    field('state', stateWord(summary)),
    field('deed', summary.deed === null ? 'not adopted' : `${deedWord(summary)}, lineage ${summary.deed.lineage}`),
    ...(summary.state === 'stopped' ? [] : [field('memory', formatBytes(summary.memoryBytes))]),
    field('autostart', summary.autostart ? 'on' : 'off'),
    ...disks.map((disk) =>
      field(
        disk.vdev,
        `${formatBytes(disk.sizeBytes)}  ${disk.path}${disk.problem === null ? '' : `  (${disk.problem})`}`,
      ),
    ),
    ...marks.map((mark, index) => field(index === 0 ? 'marks' : '', mark)),
    ...(summary.problem === null ? [] : [field('problem', summary.problem)]),
    ...(concerns.length === 0 ? [] : ['', ...concernLines(concerns)]),
  ];
}

type Summary = VmReport['summary'];

function stateWord(vm: Summary): string {
  return vm.fenced ? `${vm.state}, fenced` : vm.state;
}

function deedWord({ deed }: Summary): string {
  return deed === null ? 'none' : `${deed.state} ${deed.token}`;
}

function noteWord(vm: Summary): string {
  if (vm.problem !== null) return vm.problem;
  if (vm.deed === null) return 'not adopted';
  const { state, ceded } = vm.deed;
  // The record, and so the rest of the row, is about what came after it.
  return state !== 'ceded' && ceded?.released === false ? 'keeps an older copy: sealift finish' : '';
}
