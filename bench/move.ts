// How long a whole move of an empty 1 MiB disk takes, from the order to the receipt, by phase.
//   node bench/move.ts [--repeats 5]
import { parseArgs } from 'node:util';
import { onStand } from './stand.ts';

const { values } = parseArgs({ options: { repeats: { type: 'string', default: '5' } } });
const MiB = 1024 * 1024;

await onStand(async ({ move }) => {
  const times: number[] = [];
  // One move to warm up, which does not count.
  for (let repeat = 0; repeat <= Number(values.repeats); repeat += 1) {
    const { ms, receipt } = await move(`small-${String(repeat)}`, MiB);
    const phases = receipt.body.phases.map(({ phase, ms: each }) => `${phase} ${each.toFixed(0)}`).join(', ');
    process.stdout.write(`${repeat === 0 ? 'warm-up' : 'move'}  ${ms.toFixed(0)} ms  (${phases})\n`);
    if (repeat > 0) times.push(ms);
  }
  times.sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  process.stdout.write(
    `median ${median.toFixed(0)} ms, ${(times[0] ?? 0).toFixed(0)} to ${(times.at(-1) ?? 0).toFixed(0)}\n`,
  );
});
