import type { Crossing } from './crossing.ts';
import type { Figures } from './figures.ts';

/** A worker that was just started has not opened yet all that it will hold. */
const crossingsToSettle = 3;
const MiB = 2 ** 20;

/** What came of a soak, in plain text: its end, what grew, and what the verdict on leaks is. */
export function summary(crossings: Crossing[]): string {
  const struck = crossings.filter((one) => one.struck && one.fault !== 'nothing');
  const failures = crossings.filter(({ complaints }) => complaints.length > 0);
  const arrived = crossings.filter(({ end, to }) => end === to);
  const [first, last] = [crossings[0], crossings.at(-1)];
  if (first === undefined || last === undefined) return 'no crossing\n';
  const leaks = leaksIn(crossings);
  return [
    `${String(crossings.length)} crossings, ${String(struck.length)} struck by ${String(new Set(struck.map(({ fault }) => fault)).size)} faults at ${String(new Set(struck.map(({ point }) => point)).size)} points`,
    `  moved ${String(arrived.length)}, stayed or came back ${String(crossings.length - arrived.length)}, failures ${String(failures.length)}`,
    ...failures.map(({ number, complaints }) => `  crossing ${String(number)}: ${complaints.join(' | ')}`),
    '',
    'undisturbed moves, median of the first quarter and of the last',
    ...(['sealed', 'staged'] as const).map((method) => driftOf(method, crossings)),
    '',
    'longest life of each process, from its settling to its end',
    ...Object.keys(first.figures.processes).map((name) => lifeLine(name, crossings)),
    '',
    'databases, over all crossings',
    ...Object.keys(first.figures.databases).map((name) =>
      growthLine(
        name,
        crossings.map(({ number, figures }) => [number, figures.databases[name] ?? 0]),
      ),
    ),
    '',
    leaks.length === 0 ? 'no leak' : 'leaks',
    ...leaks.map((leak) => `  ${leak}`),
    '',
  ].join('\n');
}

/** What is not at the end as it was after the first crossings. Databases, histories and logs keep what they were told: they grow. */
export function leaksIn(crossings: Crossing[]): string[] {
  const leaks: string[] = [];
  // The VM was made on other disks than those that a landing makes, which are gone once it has moved away from them.
  const begin = crossings.findIndex(({ end, keptCopies }) => end !== crossings[0]?.from && keptCopies === 0);
  const tidy = crossings.slice(begin === -1 ? crossings.length : begin).filter(({ keptCopies }) => keptCopies === 0);
  for (const [end, own] of Map.groupBy(tidy, ({ end }) => end)) {
    const [first, last] = [own[0], own.at(-1)];
    if (first === undefined || last === undefined) continue;
    const [before, after] = [countsOf(first.figures), countsOf(last.figures)];
    for (const [what, count] of Object.entries(before)) {
      if (after[what] !== count)
        leaks.push(
          `${what}: ${String(count)} after crossing ${String(first.number)}, ${String(after[what])} after crossing ${String(last.number)}, both with the VM on ${end}`,
        );
    }
  }
  // Temporal's development server is not ours: what it takes is told, and judged by nobody.
  for (const name of Object.keys(crossings[0]?.figures.processes ?? {}).filter((one) => one !== 'Temporal'))
    leaks.push(...leaksOf(name, longestLife(name, crossings)));
  return leaks;
}

/** Descriptors and memory come and go; a leak raises what is always there. A short life tells nothing. */
function leaksOf(name: string, life: Crossing[]): string[] {
  const leaks: string[] = [];
  const among = `from crossing ${String(life[0]?.number)} to ${String(life.at(-1)?.number)}`;
  const figures = life.flatMap((one) => one.figures.processes[name] ?? []);
  if (life.length >= 8) {
    const middle = Math.ceil(life.length / 2);
    const [before, after] = [figures.slice(0, middle), figures.slice(middle)].map((half) =>
      Math.min(...half.map(({ descriptors }) => descriptors)),
    );
    if (Number(after) > Number(before))
      leaks.push(`descriptors of ${name}: at least ${String(before)}, then ${String(after)}, ${among}`);
  }
  if (life.length >= 30) {
    // A heap grows until it is worth collecting: only what lies above all that it had been is told.
    const third = Math.floor(life.length / 3);
    const most = Math.max(...figures.slice(0, third).map(({ residentBytes }) => residentBytes));
    const least = Math.min(...figures.slice(-third).map(({ residentBytes }) => residentBytes));
    if (least > most * 1.1)
      leaks.push(
        `memory of ${name}: at most ${(most / MiB).toFixed(0)} MiB, then at least ${(least / MiB).toFixed(0)} MiB, ${among}`,
      );
  }
  return leaks;
}

function countsOf({ folders, processCount }: Figures): Record<string, number> {
  const entries = Object.entries(folders).map(([name, folder]) => [`files in ${name}`, folder.entries] as const);
  return { ...Object.fromEntries<number>(entries), processes: processCount };
}

/** The crossings that one process saw without being started again, the most that there were in a row, from its settling on. */
function longestLife(name: string, crossings: Crossing[]): Crossing[] {
  const lives = [...Map.groupBy(crossings, ({ figures }) => figures.processes[name]?.pid).values()];
  const longest = lives.reduce((best, life) => (life.length > best.length ? life : best), []);
  return longest.slice(crossingsToSettle);
}

function driftOf(method: Crossing['method'], crossings: Crossing[]): string {
  const calm = crossings.filter((one) => one.method === method && one.fault === 'nothing');
  const quarter = Math.max(1, Math.floor(calm.length / 4));
  const ends = [calm.slice(0, quarter), calm.slice(-quarter)];
  const times = ends.map((own) => `${(median(own.map(({ workflowMs }) => workflowMs)) / 1_000).toFixed(1)} s`);
  const events = ends.map((own) => String(median(own.map(({ historyEvents }) => historyEvents))));
  return `  ${method}: ${times.join(', then ')}; ${events.join(', then ')} events of history (${String(calm.length)} moves)`;
}

function lifeLine(name: string, crossings: Crossing[]): string {
  const lives = new Set(crossings.map(({ figures }) => figures.processes[name]?.pid)).size;
  const life = longestLife(name, crossings);
  const descriptors = [life[0], life.at(-1)].map((one) => String(one?.figures.processes[name]?.descriptors ?? '?'));
  const resident = growthLine(
    name,
    life.map(({ number, figures }) => [number, figures.processes[name]?.residentBytes ?? 0]),
  );
  return `${resident}, descriptors ${descriptors.join(', then ')} (${String(life.length)} crossings; ${String(lives)} lives)`;
}

/** First and last, and the slope of the straight line that fits best. */
function growthLine(name: string, points: [crossing: number, bytes: number][]): string {
  const sizes = [points[0], points.at(-1)].map((one) => `${((one?.[1] ?? 0) / MiB).toFixed(1)} MiB`);
  return `  ${name}: ${sizes.join(', then ')}, ${(slope(points) / 1024).toFixed(1)} KiB a crossing`;
}

function slope(points: [number, number][]): number {
  const mean = (of: number[]): number => of.reduce((sum, one) => sum + one, 0) / Math.max(1, of.length);
  const [x, y] = [mean(points.map(([at]) => at)), mean(points.map(([, size]) => size))];
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  return spread === 0 ? 0 : points.reduce((sum, [at, size]) => sum + (at - x) * (size - y), 0) / spread;
}

function median(of: number[]): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
