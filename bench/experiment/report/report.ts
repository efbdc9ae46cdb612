import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SealiftError } from '../../../domain/error.ts';
import { orDiskFull, readResults } from '../results.ts';
import type { Read } from '../results.ts';
import { costFigures } from './costs.ts';
import type { Figure } from './figure.ts';
import { page } from './html.ts';
import type { Chapter } from './html.ts';
import { localPhaseFigures, phaseFigures } from './phases.ts';
import { rateFigures } from './rate.ts';
import { ratioFigures } from './ratio.ts';
import { groupsOf } from './seen.ts';
import { totalTimeFigures } from './total-time.ts';

/** Draws the results in these folders: one page, `index.html`, and its figures as files of their own beside it. Gives the page's path and how many figures it has. */
export function writeReport(folders: readonly string[], into: string): { page: string; figures: number } {
  const chapters = folders.map((folder): Chapter => {
    const read = readResults(folder);
    if (read === null)
      throw new SealiftError('bad-usage', `there are no results in ${folder}`, {
        hint: 'make some first: sealift experiment run bench/experiment/plans/quick.toml',
      });
    return { read, figures: figuresOf(read) };
  });
  orDiskFull(into, () => mkdirSync(into, { recursive: true }));
  const figures = chapters.flatMap((chapter) => chapter.figures);
  for (const { file, svg } of figures) write(join(into, file), `${svg}\n`);
  const path = join(into, 'index.html');
  write(path, page(chapters));
  return { page: path, figures: figures.length };
}

function figuresOf(read: Read): Figure[] {
  const { plan } = read;
  const groups = groupsOf(read);
  return [
    ...groups.flatMap((group) => totalTimeFigures(plan, group)),
    ...groups.flatMap((group) => localPhaseFigures(plan, group)),
    ...ratioFigures(plan, groups),
    ...groups.flatMap((group) => phaseFigures(plan, group)),
    ...groups.flatMap(rateFigures),
    ...groups.flatMap(costFigures),
  ];
}

function write(path: string, text: string): void {
  orDiskFull(path, () => writeFileSync(path, text));
}
