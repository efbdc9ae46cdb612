import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Sealift } from '../../../client/index.ts';
import type { Method } from '../../../domain/names.ts';
import type { Receipt } from '../../../domain/receipt.ts';
import { charonMissing } from '../../../infra/lab/wan/charon.ts';
import { sshdMissing } from '../../../infra/lab/sshd.ts';
import { missingPrograms } from '../../../infra/lab/missing-programs.ts';
import { makeVmOf } from '../../stand.ts';
import type { Clock } from '../clock.ts';
import type { Crossing } from '../results.ts';
import { placePayload, verifyPayload } from '../payload.ts';
import type { Payload } from '../payload.ts';
import { RunningSealift } from './running-sealift.ts';
import type { Way } from './way.ts';

/** As the figures name the phases that others have too. */
const phaseNames: Record<string, string> = { stop: 'shut down', start: 'restart' };
/** Between the disk at the source and the disk, read back, at the destination. */
const bytePhases = ['move', 'ready'];

/** Whole moves of a VM by Sealift, with one of its methods, from the order to the receipt. */
export const sealiftWays: Way[] = (['sealed', 'staged', 'tunnel'] as const).map((name) => ({
  name,
  groundName: 'sealift',
  lacks: () => {
    const lacks = missingPrograms({ setpriv: 'util-linux' }).map(([program, from]) => `${program} (package ${from})`);
    if (name === 'staged' && sshdMissing !== null) lacks.push(sshdMissing);
    if (name === 'tunnel' && charonMissing !== null) lacks.push(charonMissing);
    return lacks;
  },
  start: async (ground) => {
    await RunningSealift.on(ground);
    return {
      cross: async (payload, clock, signal) => {
        const running = await RunningSealift.on(ground);
        if (name === 'tunnel') await ground.strongSwan();
        try {
          await moveOnce(running, name, payload, clock, signal);
        } catch (error) {
          // The move that failed may go on, and would meet the next one.
          await RunningSealift.down();
          throw error;
        }
      },
      stop: () => RunningSealift.down(),
    };
  },
}));

async function moveOnce(
  running: RunningSealift,
  method: Method,
  payload: Payload,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { sealift, source, destination } = running;
  const vm = running.nextName();
  const path = join(source.poolPath, `${vm}.raw`);
  await placePayload(payload, path);
  await makeVmOf(source, sealift, vm, { path, vdev: 'xvda', sizeBytes: payload.bytes });
  await clock.whole(async () => phasesOf(await move(sealift, vm, method, signal)));
  await clock.outside(async () => {
    const [landed] = await rawFiles(destination.poolPath);
    await execa('xl', ['destroy', vm], { env: destination.env });
    await verifyPayload(payload, landed ?? destination.poolPath);
    await running.clear();
  });
}

async function move(sealift: Sealift, vm: string, method: Method, signal: AbortSignal): Promise<Receipt> {
  const handle = await sealift.migrate({
    vm,
    from: 'lon-1',
    to: 'fra-1',
    method,
    // The payload leaves the guest no place for what it would write.
    probe: { diskWrites: false },
  });
  const stopped = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new Error('stopped'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  return Promise.race([handle.result(), stopped]);
}

function phasesOf({ body }: Receipt): Crossing['phases'] {
  return body.phases.map(({ phase, ms }) => ({
    name: phaseNames[phase] ?? phase,
    ms,
    bytes: bytePhases.includes(phase),
  }));
}

async function rawFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
