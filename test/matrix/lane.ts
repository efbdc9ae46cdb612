import { afterAll, describe, expect, test } from '@jest/globals';
import { sshdMissing } from '../../infra/lab/sshd.ts';
import type { Fault } from './faults/fault.ts';
import { pairing } from './pairing.ts';
import { castAt, play, repeatCommand, strikesOf } from './play.ts';
import type { Cast, Outcome } from './play.ts';
import { Stage } from './stage.ts';
import type { CopyMethod } from './points.ts';

/** How often a fault that found nothing to harm is laid somewhere else. */
const tries = 3;

/** The runs of the pairing that go by one method, one after the other in one world: a test file each, side by side. */
export function playLane(method: CopyMethod): void {
  const seed = Number(process.env.SEALIFT_SEED ?? 1);
  const missing = method === 'staged' ? sshdMissing : null;
  const lane = missing === null ? describe : describe.skip;
  lane(`the fault matrix, ${method}, seed ${String(seed)}${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
    let stage: Stage | null = null;
    afterAll(async () => {
      await stage?.close();
    }, 120_000);

    const idle = new Set<Fault>();
    const casts = pairing(seed).filter((cast) => cast.method === method);
    test.each(casts.map((cast) => [titleOf(cast), cast] as const))('%s', async (_title, cast) => {
      const struck = await strikes(cast);
      if (struck || cast.first === undefined) {
        expect({ struck, again: repeatCommand(cast) }).toMatchObject({ struck: true });
        return;
      }
      // A busy machine can end a run before its second point: then each has one of its own.
      const { first, ...second } = cast;
      for (const one of [{ ...second, ...first }, second])
        expect({ struck: await strikes(one), again: repeatCommand(one) }).toMatchObject({ struck: true });
    });

    test('what found nothing to harm does harm elsewhere', async () => {
      const harmless: string[] = [];
      for (const fault of idle) if (!(await harmsElsewhere(fault))) harmless.push(fault.name);
      expect(harmless).toEqual([]);
    }, 900_000);

    /** Whether it comes to its points; what harms nothing there is remembered. */
    async function strikes(cast: Cast): Promise<boolean> {
      const { struck, met } = await playWell(cast);
      if (struck && !met) for (const { fault } of strikesOf(cast)) idle.add(fault);
      return struck;
    }

    async function harmsElsewhere(fault: Fault): Promise<boolean> {
      for (let at = 1; at <= tries; at += 1)
        if ((await playWell(castAt(seed * 1_000 + at, method, fault))).met) return true;
      return false;
    }

    async function playWell(cast: Cast): Promise<Outcome> {
      stage ??= await Stage.open();
      const outcome = await play(stage, cast);
      const { complaints, struck, story } = outcome;
      if (complaints.length > 0) {
        // What went wrong in one world shall not be found again in the next run.
        await stage.close();
        stage = null;
      }
      const again = repeatCommand(cast);
      expect({ complaints, struck, story, again }).toEqual({ complaints: [], struck, story, again });
      return outcome;
    }
  });
}

function titleOf({ point, fault, first }: Cast): string {
  const before = first === undefined ? '' : `${first.point.name}: ${first.fault.name}, then `;
  return `${before}${point.name}: ${fault.name}`;
}
