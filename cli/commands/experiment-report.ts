import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { SealiftError } from '../../domain/error.ts';
import type { Cli } from '../cli.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({ into: z.string().default(join('.sealift', 'experiment', 'report')) });
const usual = join('.sealift', 'experiment');

export function addExperimentReport(experiment: Command, cli: Cli): void {
  experiment
    .command('report')
    .argument('[folders...]', 'of results (default: all in .sealift/experiment)')
    .description('draw results: one HTML page, and each figure as an SVG beside it')
    .option('--into <folder>', 'where the page goes (default: .sealift/experiment/report)')
    .addHelpText(
      'after',
      examples('sealift experiment report', 'sealift experiment report /var/tmp/study --into /var/tmp/report'),
    )
    .action(async (given: string[], raw: unknown) => {
      const { into } = parseOptions(options, raw);
      const { resultsFile, writeReport } = await import('../../bench/experiment/index.ts');
      const folders = given.length > 0 ? given : foldersWith(resultsFile);
      if (folders.length === 0)
        throw new SealiftError('bad-usage', `there are no results in ${usual}`, {
          hint: 'make some first: sealift experiment run bench/experiment/plans/quick.toml',
        });
      const { page, figures } = writeReport(folders, into);
      cli.answer({ page, figures, results: folders }, [`${page}: ${String(figures)} figures of ${folders.join(', ')}`]);
    });
}

function foldersWith(file: string): string[] {
  if (!existsSync(usual)) return [];
  const folders = readdirSync(usual).map((name) => join(usual, name));
  return folders.filter((folder) => existsSync(join(folder, file))).sort();
}
