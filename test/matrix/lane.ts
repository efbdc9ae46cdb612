import { afterAll, describe, expect, test } from '@jest/globals';
import type { Method } from '../../domain/names.ts';
import { sshdMissing } from '../../infra/lab/sshd.ts';
import { pairing } from './pairing.ts';
import { play, repeatCommand } from './play.ts';
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
    test.each(casts.map((cast) => [cast.point.name, cast.fault.name, cast] as const))(
      '%s: %s',
      async (_point, _fault, cast) => {
        stage ??= await Stage.open();
        const { complaints, struck, story } = await play(stage, cast);
        if (complaints.length > 0) {
          // What went wrong in one world shall not be found again in the next run.
          await stage.close();
          stage = null;
        }
        const again = repeatCommand(cast);
        expect({ complaints, struck, story, again }).toEqual({ complaints: [], struck: true, story, again });
      },
    );
  });
}
