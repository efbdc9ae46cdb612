import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Cli } from '../cli.ts';
import type { Finding } from '../doctor/examine.ts';
import { exitCodes } from '../exit-codes.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({ data: z.string().optional() });

export function addDoctor(program: Command, cli: Cli): void {
  program
    .command('doctor')
    .description(
      'say what this machine has for sealift, and what each missing thing costs; exit 1 when a needed one is missing',
    )
    .option('--data <folder>', 'the folder whose file system is tried (default: the present one)')
    .addHelpText('after', examples('sealift doctor', 'sealift doctor --data /srv/sealift --json'))
    .action(async (raw: unknown) => {
      const folder = resolve(parseOptions(options, raw).data ?? '.');
      // What it needs to run programs would slow every other command's start.
      const { examine } = await import('../doctor/examine.ts');
      const findings = await examine({ folder, env: cli.io.env, home: homedir() });
      cli.answer({ findings }, findings.flatMap(lines));
      if (findings.some((one) => one.needed && !one.has)) cli.exitCode = exitCodes.failed;
    });
}

function lines(one: Finding): string[] {
  const mark = one.has ? 'ok     ' : one.needed ? 'MISSING' : 'missing';
  return [`${mark}  ${one.name.padEnd(20)} ${one.found}`, ...(one.has ? [] : [`${' '.repeat(30)}${one.cost}`])];
}
