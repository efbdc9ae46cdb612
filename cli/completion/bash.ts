import type { Node } from './tree.ts';

/** A bash script that completes `sealift`: subcommands, options, and the values of options that have a fixed set. */
export function bashCompletion(tree: Node[]): string {
  const words = tree.map((node) => {
    const next = [...node.commands.map((one) => one.name), ...node.options.map((one) => one.flag)];
    return `    '${node.path}') words='${next.join(' ')}' ;;`;
  });
  const values = new Map<string, string>();
  for (const option of tree.flatMap((node) => node.options)) {
    if (option.values.length > 0) values.set(option.flag, option.values.join(' '));
  }
  const taking = new Set(
    tree.flatMap((node) =>
      node.options.filter((one) => one.takesValue && one.values.length === 0).map((one) => one.flag),
    ),
  );
  const parents = tree.filter((node) => node.commands.length > 0 && node.path !== '').map((node) => node.path);
  return [
    '# bash completion for sealift; made by: sealift completion bash',
    '_sealift() {',
    '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" path="" words="" i',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    '    case "${COMP_WORDS[i]}" in -*) continue ;; esac',
    `    case "\${COMP_WORDS[i-1]}" in ${[...values.keys(), ...taking].join('|')}) continue ;; esac`,
    '    case "$path" in',
    `      '') path="\${COMP_WORDS[i]}" ;;`,
    ...(parents.length === 0 ? [] : [`      ${parents.join('|')}) path="$path \${COMP_WORDS[i]}" ;;`]),
    '    esac',
    '  done',
    '  case "$before" in',
    ...[...values].map(([flag, list]) => `    ${flag}) COMPREPLY=($(compgen -W '${list}' -- "$word")); return ;;`),
    `    ${[...taking].join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;;`,
    '  esac',
    '  case "$path" in',
    ...words,
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
    '}',
    'complete -F _sealift sealift',
    '',
  ].join('\n');
}
