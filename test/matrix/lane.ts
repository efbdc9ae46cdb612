import { afterAll, describe, expect, test } from '@jest/globals';
import type { Method } from '../../domain/names.ts';
import { sshdMissing } from '../../infra/lab/sshd.ts';
import { pairing } from './pairing.ts';
import { play, repeatCommand } from './play.ts';
import type { Cast } from './play.ts';
import { Stage } from './stage.ts';

/** The runs of the pairing that go by one method, one after the other in one world: a test file each, side by side. */
export function playLane(method: Method): void {
  const seed = Number(process.env.SEALIFT_SEED ?? 1);
  const missing = method === 'staged' ? sshdMissing : null;
  const lane = missing === null ? describe : describe.skip;
  lane(`the fault matrix, ${method}, seed ${String(seed)}${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
    let stage: Stage | null = null;
    afterAll(async () => {
      await stage?.close();
    }, 120_000);

    const casts = pairing(seed).filter((cast) => cast.method === method);
    test.each(casts.map((cast) => [titleOf(cast), cast] as const))('%s', async (_title, cast) => {
      const struck = await playWell(cast);
      if (struck || cast.first === undefined) {
        expect({ struck, again: repeatCommand(cast) }).toMatchObject({ struck: true });
        return;
      }
      // A busy machine can end a run before its second point: then each has one of its own.
      const { first, ...second } = cast;
      for (const one of [{ ...second, ...first }, second])
        expect({ struck: await playWell(one), again: repeatCommand(one) }).toMatchObject({ struck: true });
    });

    async function playWell(cast: Cast): Promise<boolean> {
      stage ??= await Stage.open();
      const { complaints, struck, story } = await play(stage, cast);
      if (complaints.length > 0) {
        // What went wrong in one world shall not be found again in the next run.
        await stage.close();
        stage = null;
      }
      const again = repeatCommand(cast);
      expect({ complaints, struck, story, again }).toEqual({ complaints: [], struck, story, again });
      return struck;
    }
  });
}

function titleOf({ point, fault, first }: Cast): string {
  const before = first === undefined ? '' : `${first.point.name}: ${first.fault.name}, then `;
  return `${before}${point.name}: ${fault.name}`;
}
