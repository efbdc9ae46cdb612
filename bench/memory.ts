// What the workers hold at most (VmHWM of /proc/PID/status) while they move one disk, each size on processes of its own.
//   node bench/memory.ts [--gib 1,64]
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { onStand } from './stand.ts';

const { values } = parseArgs({ options: { gib: { type: 'string', default: '1,64' } } });

for (const gib of values.gib.split(',').map(Number)) {
  await onStand(async ({ up, move }) => {
    const idle = await Promise.all(up.hosts.map(({ worker }) => peakMib(worker.pid)));
    const { ms } = await move('big', gib * 1024 ** 3);
    const [source, destination] = await Promise.all(up.hosts.map(({ worker }) => peakMib(worker.pid)));
    const figures = [
      `idle ${idle.map((mib) => mib.toFixed(0)).join(' / ')}`,
      `source ${(source ?? 0).toFixed(0)}`,
      `destination ${(destination ?? 0).toFixed(0)}`,
      `control ${(await peakMib(up.control.pid)).toFixed(0)}`,
    ];
    process.stdout.write(
      `${String(gib)} GiB of holes: ${figures.join(', ')} MiB; moved in ${(ms / 1000).toFixed(1)} s\n`,
    );
  });
}

async function peakMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}
