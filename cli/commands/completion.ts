import { Argument } from 'commander';
import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { bashCompletion } from '../completion/bash.ts';
import { commandTree } from '../completion/tree.ts';
import { zshCompletion } from '../completion/zsh.ts';
import { examples } from './examples.ts';

export function addCompletion(program: Command, cli: Cli): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh']))
    .description('print what makes a shell complete the command')
    .addHelpText(
      'after',
      examples('source <(sealift completion bash)', 'sealift completion zsh > "${fpath[1]}/_sealift"'),
    )
    .action((shell: string) => {
      const tree = commandTree(program);
      cli.io.stdout.write(shell === 'bash' ? bashCompletion(tree) : zshCompletion(tree));
    });
}
