import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Cli } from '../cli.ts';
import { exitCodes } from '../exit-codes.ts';
import { makeExperimentTeller } from '../live/experiment-teller.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({ into: z.string().optional() });

export function addExperimentRun(experiment: Command, cli: Cli): void {
  experiment
    .command('run')
    .argument('<plan>', "a plan's file, such as bench/experiment/plans/study.toml")
    .description('measure what a plan asks for; Ctrl-C stops it, and the same command goes on where it was')
    .option('--into <folder>', 'where the results are (default: .sealift/experiment/ and the name of the plan)')
    .addHelpText(
      'after',
      examples(
        'sealift experiment run bench/experiment/plans/quick.toml',
        'sealift experiment run bench/experiment/plans/study.toml --into /var/tmp/study',
      ),
    )
    .action(async (path: string, raw: unknown) => {
      const { into } = parseOptions(options, raw);
      // Loaded here: no other command needs the laboratory.
      const { readPlan, runExperiment, Forecast } = await import('../../bench/experiment/index.ts');
      const { interruption, unlessAborted } = await import('../../infra/interruption.ts');
      const plan = await readPlan(path);
      const folder = into ?? join('.sealift', 'experiment', plan.name);
      const teller = makeExperimentTeller(cli, plan, (todo) => new Forecast(todo));
      const signal = interruption();
      try {
        const running = runExperiment(plan, { folder, signal, begin: teller.begin, tell: teller.tell });
        const outcome = await unlessAborted(signal, running);
        teller.end();
        if (outcome === null) {
          cli.note(`stopped; what was done is in ${folder}, and the same command goes on from there`);
          cli.exitCode = exitCodes.detached;
          return;
        }
        const { done, notDone, missing } = outcome;
        const rest = notDone === 0 ? '' : `, ${String(notDone)} not: the same command tries them again`;
        const without = missing.length === 0 ? '' : `; not measured here: ${missing.join(', ')}`;
        cli.answer({ event: 'end', folder, done, notDone, missing }, [
          `${plan.name}: ${String(done)} measured${rest}${without}`,
          `results in ${folder}; sealift experiment report ${folder} draws them`,
        ]);
        if (notDone > 0) cli.exitCode = exitCodes.failed;
      } finally {
        teller.end();
      }
    });
}
