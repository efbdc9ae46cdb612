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
    const line = (atMs: number, text: string): string => `${formatClock(atMs)}  ${status.vmName}  ${clean(text)}`;
    const lines: string[] = [];
    for (const done of status.done.slice(this.#done)) {
      // Who joins late is told when it happened.
      const beganMs = Date.parse(done.at);
      lines.push(...this.#begin(done.phase, status).map((text) => line(beganMs, text)));
      this.#begun = '';
      const text = `${phaseWord(done.phase, status.method)} done in ${formatMs(done.ms)}${done.note === '' ? '' : `: ${done.note}`}`;
      lines.push(line(beganMs + done.ms, text));
    }
    const said: string[] = [];
    this.#done = Math.max(this.#done, status.done.length);
    const changed = status.phase !== this.#phase;
    if (status.phase !== 'waits' && !hasEnded(status.phase)) said.push(...this.#begin(status.phase, status));
    else if (status.phase === 'waits' && changed) said.push(phaseWord(status.phase));
    if (changed) this.#bytesAtMs = nowMs;
    this.#phase = status.phase;
    const waits = status.waits.join('\n');
    if (waits !== this.#waits) said.push(...status.waits.map((wait) => `waits: ${wait}`));
    this.#waits = waits;
    if (look.trouble !== null && look.trouble !== this.#trouble) said.push(`trouble: ${look.trouble}`);
    this.#trouble = look.trouble;
    said.push(...this.#bytes(look, nowMs));
    return [...lines, ...said.map((text) => line(nowMs, text))];
  }

  /** A phase may begin and end between two looks, and goes on after a wait. */
  #begin(phase: string, { method }: MoveProgress['status']): string[] {
    if (phase === this.#begun) return [];
    this.#begun = phase;
    return [phaseWord(phase, method)];
  }

  #bytes({ transfer, phase }: MoveProgress, nowMs: number): string[] {
    const memory = transfer?.step === 'memory';
    if (transfer === null || (phase !== 'move' && phase !== 'ready' && !memory) || nowMs - this.#bytesAtMs < everyMs)
      return [];
    this.#bytesAtMs = nowMs;
    if (memory) return [transferWords(transfer).join(' · ')];
    const { verifiedBytes, totalBytes } = totals(transfer);
    const percent = totalBytes === 0 ? 100 : Math.floor((verifiedBytes / totalBytes) * 100);
    return [[`${percent} %`, formatPart(verifiedBytes, totalBytes), ...transferWords(transfer)].join(' · ')];
  }
}
