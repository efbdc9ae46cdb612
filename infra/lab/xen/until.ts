import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until the answer is not null. Throws `what` when `limitMs` are over before. */
export async function until<Answer>(limitMs: number, what: string, ask: () => Promise<Answer | null>): Promise<Answer> {
  const end = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > end) throw new Error(`not within ${String(limitMs / 1000)} s: ${what}`);
    await sleep(300);
  }
}
