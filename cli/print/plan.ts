import type { Plan } from '../../client/index.ts';
import { formatBytes } from '../format.ts';
import { concernLines } from './concerns.ts';

const explained = 'what the names in brackets mean, and what to do: docs/concerns.md';

/** Of a disk that both hosts reach. */
export function staysWords(lun: string): string {
  return `stays where it is: LUN ${lun}`;
}

/** What a move would do, for people. */
export function planLines(plan: Plan): string[] {
  const disks = plan.disks.map((disk) => {
    const pool = plan.placement.find((place) => place.vdev === disk.vdev)?.pool;
    const where = disk.lun === undefined ? (pool === undefined ? '' : `  → pool ${pool}`) : `  ${staysWords(disk.lun)}`;
    return `  ${disk.vdev.padEnd(6)} ${formatBytes(disk.sizeBytes).padStart(9)}${where}`;
  });
  return [
    `${plan.vmName}   ${plan.from} → ${plan.to}   ${plan.method}${plan.keepMemory ? ' with its memory' : ''} · ${plan.state} · round trip ${plan.rttMs.toFixed(1)} ms`,
    '',
    ...disks,
    `  ${'in all'.padEnd(6)} ${formatBytes(plan.totalBytes).padStart(9)}`,
    ...(plan.concerns.length === 0 ? [] : ['', ...concernLines(plan.concerns), '', explained]),
    '',
    plan.refused ? `${plan.vmName} would not be moved; nothing was changed` : 'nothing was changed yet',
  ];
}
