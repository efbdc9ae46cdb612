import type { MigrationStatus, Phase, TransferProgress } from '../../client/index.ts';
import { formatBytes, formatMs, formatRate } from '../format.ts';

const words: Partial<Record<string, string>> = {
  stop: 'shut down',
  gate: 'approval',
  undo: 'undo',
  'give-back': 'give back',
  'take-back': 'take back',
};

/** A phase as people read it; a guest that moves live is not shut down. */
export function phaseWord(phase: string, method?: string): string {
  return phase === 'stop' && method === 'live' ? 'hand over' : (words[phase] ?? phase);
}

const steps: Record<TransferProgress['step'], string> = {
  seal: 'sealing the container',
  send: 'sending',
  unseal: 'opening the container',
  'read-back': 'reading back',
  memory: 'sending its memory',
};

/** What a transfer does now. */
function stepWord(step: TransferProgress['step']): string {
  return steps[step];
}

/** What a workflow about a VM is called; a move until it has said what it is. */
export function taskWord(kind: MigrationStatus['kind'] = 'migrate'): string {
  return kind === 'migrate' ? 'move' : kind;
}

/** Whether nothing more will happen. */
export function hasEnded(phase: Phase): boolean {
  return phase === 'done' || phase === 'aborted' || phase === 'failed';
}

/** Bytes verified and bytes in all, over all disks. */
export function totals(transfer: TransferProgress): { verifiedBytes: number; totalBytes: number } {
  let verifiedBytes = 0;
  let totalBytes = 0;
  for (const disk of transfer.disks) {
    verifiedBytes += disk.verifiedBytes;
    totalBytes += disk.totalBytes;
  }
  return { verifiedBytes, totalBytes };
}

/** `112 MB/s · 2 s left · 8 streams · 0 retries`. */
export function transferWords(transfer: TransferProgress): string[] {
  const { verifiedBytes, totalBytes } = totals(transfer);
  const parts = [stepWord(transfer.step)];
  if (transfer.paused) parts.push('paused');
  else if (transfer.bytesPerSecond > 0) {
    parts.push(formatRate(transfer.bytesPerSecond));
    const leftMs = ((totalBytes - verifiedBytes) / transfer.bytesPerSecond) * 1000;
    if (leftMs >= 1000) parts.push(`${formatMs(Math.ceil(leftMs / 1000) * 1000).replace('.0 s', ' s')} left`);
  }
  if (transfer.limitBytesPerSecond !== null) parts.push(`limit ${formatRate(transfer.limitBytesPerSecond)}`);
  if (transfer.streams > 0) parts.push(plural(transfer.streams, 'stream'));
  if (transfer.wireBytes > 0) parts.push(`${formatBytes(transfer.wireBytes)} on the wire`);
  parts.push(transfer.retries === 1 ? '1 retry' : `${transfer.retries} retries`);
  return parts;
}

/** `1 disk`, `2 disks`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `web-1   lon-1 → fra-1   sealed · token 2`. */
export function headWords(status: MigrationStatus): { vm: string; way: string; rest: string } {
  const rest = status.kind === 'migrate' ? [status.method as string] : [status.kind as string];
  if (status.token !== null) rest.push(`token ${status.token}`);
  return { vm: status.vmName, way: `${status.from} → ${status.to}`, rest: rest.join(' · ') };
}
