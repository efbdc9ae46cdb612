import type { Command, Option } from 'commander';

/** What can follow a command's words: subcommands, options, and the values that an option takes. */
export interface Node {
  /** The words that lead here, without the program: `host trust`. */
  path: string;
  commands: { name: string; description: string }[];
  options: { flag: string; description: string; takesValue: boolean; values: readonly string[] }[];
}

/** All commands of the program, itself first. */
export function commandTree(program: Command): Node[] {
  const shared = program.options;
  const visit = (command: Command, path: string): Node[] => [
    nodeOf(command, path, shared),
    ...command.commands.flatMap((child) => visit(child, path === '' ? child.name() : `${path} ${child.name()}`)),
  ];
  return visit(program, '');
}

function nodeOf(command: Command, path: string, shared: readonly Option[]): Node {
  const options = path === '' ? shared : [...command.options, ...shared];
  return {
    path,
    commands: command.commands.map((child) => ({ name: child.name(), description: child.description() })),
    options: [
      ...options.map((option) => ({
        flag: option.long ?? option.flags,
        description: option.description,
        takesValue: option.required || option.optional,
        values: option.argChoices ?? [],
      })),
      { flag: '--help', description: 'print help', takesValue: false, values: [] },
    ],
  };
}
