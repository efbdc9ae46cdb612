import type { MigrationStatus, TransferProgress } from '../../client/index.ts';
import { phases } from '../../domain/progress.ts';
import { clean, formatMs, formatPart } from '../format.ts';
import { bar, paint } from './paint.ts';
import type { Piece } from './paint.ts';
import { hasEnded, headWords, phaseWord, transferWords } from './words.ts';

export interface View {
  /** Number of the picture; turns the spinner. */
  frame?: number;
  colour?: boolean;
  /** The newest trouble in one line. */
  trouble?: string | null;
  /** Lines at the foot, such as the keys. */
  foot?: string[];
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const labelColumns = 11;

/**
 * One picture of a migration, as lines of at most `width` columns: the phases behind it, the one it is in with a bar for each
 * disk while bytes move, what it waits for, and what is still to come. `progress` is newer than what `status` carries; pure.
 */
export function renderMove(
  status: MigrationStatus,
  progress: TransferProgress | null,
  width: number,
  view: View = {},
): string[] {
  const pieces: Piece[][] = [head(status), []];
  for (const done of status.done) {
    const ms = formatMs(done.ms).padStart(8);
    pieces.push(['  ', ['green', '✓'], ` ${label(done.phase, status)} ${ms}   `, ['dim', clean(done.note)]]);
  }
  if (!hasEnded(status.phase)) pieces.push(...present(status, progress, width, view));
  else pieces.push(end(status));
  if (view.trouble != null) pieces.push([], ['  ', ['yellow', `! ${clean(view.trouble)}`]]);
  if (view.foot !== undefined && view.foot.length > 0) {
    pieces.push([], ...view.foot.map((line): Piece[] => ['  ', ['dim', line]]));
  }
  return pieces.map((line) => paint(line, width, view.colour ?? false));
}

function head(status: MigrationStatus): Piece[] {
  const { vm, way, rest } = headWords(status);
  return [['bold', vm], `   ${way}   `, ['dim', rest]];
}

/** The phase it is in, with bars or waits, and the line of those to come. */
function present(status: MigrationStatus, progress: TransferProgress | null, width: number, view: View): Piece[][] {
  const waits = status.waits.length > 0;
  const mark: Piece = waits ? ['yellow', '◆'] : ['cyan', spinner[(view.frame ?? 0) % spinner.length] ?? '·'];
  const lines: Piece[][] = [];
  const begin: Piece[] = ['  ', mark, ` ${label(status.phase, status)} `];
  const moving = status.phase === 'move' || status.phase === 'ready' || progress?.step === 'memory';
  if (progress !== null && moving && !waits) {
    lines.push(...transferLines(begin, progress, width));
  } else {
    lines.push(begin);
  }
  if (status.paused) lines.push([indent, ['yellow', 'paused: sealift resume ends it']]);
  for (const wait of status.waits) lines.push([indent, ['yellow', clean(wait)]]);
  const toCome = phasesAfter(status);
  if (toCome !== '') lines.push(['    ', ['dim', toCome]]);
  return lines;
}

const indent = ' '.repeat(4 + labelColumns + 1);

function transferLines(begin: Piece[], progress: TransferProgress, width: number): Piece[][] {
  const nameColumns = Math.max(...progress.disks.map((disk) => disk.vdev.length), 4);
  const barColumns = Math.max(8, Math.min(32, width - indent.length - nameColumns - 34));
  const lines = progress.disks.map((disk, index): Piece[] => {
    const share = disk.totalBytes === 0 ? 1 : disk.verifiedBytes / disk.totalBytes;
    const percent = `${Math.floor(share * 100)} %`.padStart(6);
    return [
      ...(index === 0 ? begin : [indent]),
      `${disk.vdev.padEnd(nameColumns)}  `,
      ...bar(share, barColumns),
      `${percent}   ${formatPart(disk.verifiedBytes, disk.totalBytes)}`,
    ];
  });
  if (lines.length === 0) {
    if (progress.step !== 'memory') return [begin];
    lines.push(begin);
  }
  lines.push([indent, transferWords(progress).join(' · ')]);
  if (progress.trouble !== null) lines.push([indent, ['yellow', clean(progress.trouble)]]);
  return lines;
}

/** `ready · cede · start`: what a migration has still before it. */
function phasesAfter(status: MigrationStatus): string {
  if (status.kind !== 'migrate' || status.phase === 'undo') return '';
  const last = status.done.at(-1)?.phase ?? '';
  const behind = Math.max(
    phases.findIndex((one) => one === status.phase),
    phases.findIndex((one) => one === last),
  );
  return phases
    .slice(behind + 1)
    .filter((one) => one !== 'done' && one !== 'gate')
    .map((one) => phaseWord(one, status.method))
    .join(' · ');
}

function end(status: MigrationStatus): Piece[] {
  const line = status.error === null ? '' : `: ${clean(status.error.message)}  [${status.error.type}]`;
  if (status.phase === 'done') return ['  ', ['green', '✓ done'], ['yellow', line]];
  return ['  ', ['red', `✗ ${status.phase}`], line];
}

function label(phase: string, { method }: MigrationStatus): string {
  return phaseWord(phase, method).padEnd(labelColumns);
}
