/** Where the programs of an administrator are, also of one whose shell does not look there. */
export const programFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'] as const;

/** Says `mark` on both outputs, so that what the user's shell has printed before can be told apart, and becomes the program. */
const begin = `printf '%s\\n' "$0"; printf '%s\\n' "$0" >&2; export PATH="$PATH:${programFolders.join(':')}"; exec`;

/**
 * The text by which sshd runs a program: by its arguments, as root, killed with its process group after `limitMs` also when nobody
 * is connected any more (timeout(1)).
 */
export function remoteCommand(
  argv: readonly string[],
  { mark, user, env, limitMs }: { mark: string; user: string; env: Readonly<Record<string, string>>; limitMs: number },
): string {
  // sudo has a PATH of its own.
  const script = `${begin} ${user === 'root' ? '' : 'sudo -n -- env "PATH=$PATH" '}"$@"`;
  const variables = Object.entries({ ...env, LC_ALL: 'C' }).map(([name, value]) => `${name}=${value}`);
  const words = ['timeout', '-s', 'KILL', String(limitMs / 1_000), 'env', ...variables, ...argv];
  return ['sh', '-c', script, mark, ...words].map(quoted).join(' ');
}

/** One word for a shell of whatever kind, which sees everything between single quotes as it is. */
function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
