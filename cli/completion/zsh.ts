import type { Node } from './tree.ts';

/** A zsh function file that completes `sealift`, with descriptions. */
export function zshCompletion(tree: Node[]): string {
  const cases = tree.map((node) => {
    const commands = node.commands.map((one) => quote(`${escapeColon(one.name)}:${one.description}`));
    const options = node.options.map((one) => quote(`${escapeColon(one.flag)}:${one.description}`));
    return `    ${quote(node.path)}) commands=(${commands.join(' ')}); options=(${options.join(' ')}) ;;`;
  });
  const values = new Map<string, readonly string[]>();
  for (const option of tree.flatMap((node) => node.options)) {
    if (option.values.length > 0) values.set(option.flag, option.values);
  }
  const taking = new Set(tree.flatMap((node) => node.options.filter((one) => one.takesValue).map((one) => one.flag)));
  const parents = tree.filter((node) => node.commands.length > 0 && node.path !== '').map((node) => node.path);
  return [
    '#compdef sealift',
    '# zsh completion for sealift; made by: sealift completion zsh',
    '_sealift() {',
    '  local path_="" word before=""',
    '  local -a commands options',
    '  for word in ${words[2,CURRENT-1]}; do',
    `    case "$before" in ${[...taking].join('|')}) before=$word; continue ;; esac`,
    '    before=$word',
    '    [[ $word == -* ]] && continue',
    '    case "$path_" in',
    "      '') path_=$word ;;",
    ...(parents.length === 0 ? [] : [`      ${parents.join('|')}) path_="$path_ $word" ;;`]),
    '    esac',
    '  done',
    '  case "${words[CURRENT-1]}" in',
    ...[...values].map(([flag, list]) => `    ${flag}) compadd -- ${list.join(' ')}; return ;;`),
    '  esac',
    '  case "$path_" in',
    ...cases,
    '  esac',
    "  if [[ ${words[CURRENT]} == -* ]]; then _describe 'option' options",
    "  elif (( $#commands )); then _describe 'command' commands",
    '  else _files',
    '  fi',
    '}',
    '_sealift "$@"',
    '',
  ].join('\n');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function escapeColon(text: string): string {
  return text.replaceAll(':', '\\:');
}
