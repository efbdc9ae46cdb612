import type { MoveProgress } from '../../client/index.ts';
import { clean, formatClock, formatMs, formatPart } from '../format.ts';
import { hasEnded, phaseWord, transferWords, totals } from './words.ts';

const everyMs = 10_000;

/**
 * A migration as lines with a time, for logs and pipes: one when a phase begins or ends, one for each new wait or trouble, and
 * one every 10 s while bytes move. `next` gives the lines that a look adds to those before.
 */
export class PlainLines {
  #done = 0;
  /** The phase whose begin was said and whose end was not. */
  #begun = '';
  #phase = '';
  #waits = '';
  #trouble: string | null = null;
  #bytesAtMs = Number.NEGATIVE_INFINITY;

  next(look: MoveProgress, nowMs: number): string[] {
    const { status } = look;
    const said: string[] = [];
    for (const done of status.done.slice(this.#done)) {
      said.push(...this.#begin(done.phase));
      this.#begun = '';
      said.push(`${phaseWord(done.phase)} done in ${formatMs(done.ms)}${done.note === '' ? '' : `: ${done.note}`}`);
    }
    this.#done = Math.max(this.#done, status.done.length);
    const changed = status.phase !== this.#phase;
    if (status.phase !== 'waits' && !hasEnded(status.phase)) said.push(...this.#begin(status.phase));
    else if (status.phase === 'waits' && changed) said.push(phaseWord(status.phase));
    if (changed) this.#bytesAtMs = nowMs;
    this.#phase = status.phase;
    const waits = status.waits.join('\n');
    if (waits !== this.#waits) said.push(...status.waits.map((wait) => `waits: ${wait}`));
    this.#waits = waits;
    if (look.trouble !== null && look.trouble !== this.#trouble) said.push(`trouble: ${look.trouble}`);
    this.#trouble = look.trouble;
    said.push(...this.#bytes(look, nowMs));
    return said.map((line) => `${formatClock(nowMs)}  ${status.vmName}  ${clean(line)}`);
  }

  /** A phase may begin and end between two looks, and goes on after a wait. */
  #begin(phase: string): string[] {
    if (phase === this.#begun) return [];
    this.#begun = phase;
    return [phaseWord(phase)];
  }

  #bytes({ transfer, phase }: MoveProgress, nowMs: number): string[] {
    if (transfer === null || (phase !== 'move' && phase !== 'ready') || nowMs - this.#bytesAtMs < everyMs) return [];
    this.#bytesAtMs = nowMs;
    const { verifiedBytes, totalBytes } = totals(transfer);
    const percent = totalBytes === 0 ? 100 : Math.floor((verifiedBytes / totalBytes) * 100);
    return [[`${percent} %`, formatPart(verifiedBytes, totalBytes), ...transferWords(transfer)].join(' · ')];
  }
}
