import { z } from 'zod';
import { fence, proveFenced, unfence } from '../../deed/fence.ts';
import { fencePlaces } from '../../deed/places.ts';
import { isSealiftError } from '../../domain/error.ts';
import { pool } from '../../domain/host-file.ts';
import { diskPlace } from '../../storage/loop.ts';
import { readMark } from '../../storage/mark.ts';
import type { Mark } from '../../storage/mark.ts';
import { poolSpace } from '../../storage/pool.ts';
import { allocateVolume } from '../../storage/volume-pool.ts';
import { placeNow, requireVolume, whyUnfit } from '../../storage/volume.ts';

const mark = z.custom<Mark>();
const fencing = { places: fencePlaces, mark };
const task = z.discriminatedUnion('act', [
  z.object({ act: z.literal('place'), target: z.string() }),
  z.object({ act: z.enum(['fence', 'unfence']), ...fencing, dieAfter: z.string().optional() }),
  z.object({ act: z.literal('prove'), ...fencing }),
  z.object({ act: z.literal('look'), disk: fencePlaces.shape.disks.element }),
  z.object({ act: z.literal('space'), pool }),
  z.object({ act: z.literal('allocate'), pool, name: z.string(), sizeBytes: z.int(), mark }),
]);
/** What the program is asked to do in a dom0; `dieAfter` names the step of a fence after which it kills itself. */
export type VolumeTask = z.infer<typeof task>;

async function act(asked: VolumeTask): Promise<unknown> {
  switch (asked.act) {
    case 'place': {
      const place = await diskPlace(asked.target);
      return { ...place, unfit: place.volume === undefined ? null : whyUnfit(await requireVolume(place.volume)) };
    }
    case 'fence':
    case 'unfence': {
      const { places, mark, dieAfter } = asked;
      const onStep = (step: string): void => {
        if (step === dieAfter) process.kill(process.pid, 'SIGKILL');
      };
      if (asked.act === 'fence') return fence(places, mark, 'immutable', { onStep });
      return unfence(places, mark, { onStep });
    }
    case 'prove':
      return proveFenced(asked.places, asked.mark, 'immutable');
    case 'look':
      return { path: await placeNow(asked.disk), mark: await readMark(asked.disk) };
    case 'space':
      return poolSpace(asked.pool);
    case 'allocate': {
      if (asked.pool.kind !== 'lvm') throw new Error('only groups have volumes');
      return allocateVolume(asked.pool, { ...asked, reservedBytes: 0 });
    }
  }
}

const answers: unknown[] = [];
for (const asked of z.array(task).parse(JSON.parse(process.argv[2] ?? ''))) {
  try {
    answers.push({ done: (await act(asked)) ?? null });
  } catch (error) {
    if (!isSealiftError(error)) throw error;
    answers.push({ failed: { type: error.type, message: error.message } });
  }
}
process.stdout.write(JSON.stringify(answers));
