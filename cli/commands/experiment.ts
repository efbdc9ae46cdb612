import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addExperimentReport } from './experiment-report.ts';
import { addExperimentRun } from './experiment-run.ts';

export function addExperiment(program: Command, cli: Cli): void {
  const experiment = program
    .command('experiment')
    .description('measure ways to move a VM over emulated long lines, beside each other');
  for (const add of [addExperimentRun, addExperimentReport]) add(experiment, cli);
}
