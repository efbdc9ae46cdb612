// What the workers hold at most (VmHWM of /proc/PID/status) while they move one disk, each disk on processes of its own.
//   node bench/memory.ts [--gib 1,64] [--data-gib 1] [--dist]
// `--gib` disks are holes, the `--data-gib` one is random bytes. `--dist` measures the package (`npm run build` first) in
// place of the sources: without type stripping each thread is smaller.
import { parseArgs } from 'node:util';
import { peakMib } from './peak.ts';
import { onStand } from './stand.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '1,64' },
    'data-gib': { type: 'string', default: '1' },
    dist: { type: 'boolean', default: false },
  },
});

for (const gib of sizes(values.gib)) await measure(gib, 'holes');
for (const gib of sizes(values['data-gib'])) await measure(gib, 'random');

async function measure(gib: number, content: 'holes' | 'random'): Promise<void> {
  const work = async ({ up, move }: Parameters<Parameters<typeof onStand>[0]>[0]): Promise<void> => {
    const idle = await Promise.all(up.hosts.map(({ worker }) => peakMib(worker.pid)));
    const { ms } = await move('big', gib * 1024 ** 3, content);
    const [source, destination] = await Promise.all(up.hosts.map(({ worker }) => peakMib(worker.pid)));
    const figures = [
      `idle ${idle.map((mib) => mib.toFixed(0)).join(' / ')}`,
      `source ${(source ?? 0).toFixed(0)}`,
      `destination ${(destination ?? 0).toFixed(0)}`,
      `control ${(await peakMib(up.control.pid)).toFixed(0)}`,
    ];
    process.stdout.write(
      `${String(gib)} GiB, ${content}: ${figures.join(', ')} MiB; moved in ${(ms / 1000).toFixed(1)} s\n`,
    );
  };
  await onStand(work, { fromDist: values.dist });
}

function sizes(list: string): number[] {
  return list.split(',').filter(Boolean).map(Number);
}
