import type { Command } from 'commander';
import { SealiftError } from '../../domain/error.ts';

/** `help` of the program or of a group: walks the words to a command, however deep, and prints its help. */
export function addHelp(parent: Command): void {
  parent
    .helpCommand(false)
    .command('help')
    .argument('[command...]', 'the command, in one word or two')
    .description('print the help of a command')
    .action((words: string[]) => {
      let command = parent;
      for (const word of words) {
        const next = command.commands.find((one) => one.name() === word);
        if (next === undefined) throw unknownCommand(words, command);
        command = next;
      }
      command.outputHelp();
    });
}

function unknownCommand(words: string[], last: Command): SealiftError {
  const names = last.commands.map((one) => one.name()).join(', ');
  return new SealiftError('bad-usage', `unknown command '${words.join(' ')}'`, {
    hint: names === '' ? `${last.name()} has no commands of its own` : `there are ${names}`,
  });
}
