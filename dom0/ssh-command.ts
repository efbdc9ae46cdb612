/** Where the programs of an administrator are, also of one whose shell does not look there. */
export const programFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'] as const;

const path = `export PATH="$PATH:${programFolders.join(':')}"`;
/** sudo has a PATH of its own. */
const asRoot = (user: string): string => (user === 'root' ? '' : 'sudo -n -- env "PATH=$PATH" ');

/**
 * Says its name on both outputs, so that what was printed before can be told apart, and waits for a word: without it nothing begins. The one that is
 * listened to comes last: who hears it may leave at once, and an output that nobody holds any more would be the end of it.
 */
const gate = `printf '%s\\n' "$0" >&2; printf '%s\\n' "$0"; read -r go || exit 125; exec "$@"`;

export interface ProgramOptions {
  /** What the gate calls itself. */
  mark: string;
  user: string;
  env: Readonly<Record<string, string>>;
  limitMs: number;
  /** SIGTERM first, and SIGKILL five seconds later. */
  gently: boolean;
}

/**
 * The text by which sshd runs a program behind a gate: by its arguments, as root, killed with its process group after `limitMs` also when
 * nobody is connected any more (timeout(1)). Its variables are among the arguments of all that comes before it.
 */
export function programCommand(argv: readonly string[], { mark, user, env, limitMs, gently }: ProgramOptions): string {
  const timeout = ['timeout', ...(gently ? ['-k', '5'] : ['-s', 'KILL']), String(limitMs / 1_000)];
  const script = `${path}; exec ${asRoot(user)}sh -c "$0" "$@"`;
  return quotedWords(['sh', '-c', script, gate, mark, ...timeout, 'env', ...variables(env), ...argv]);
}

/** The text by which sshd runs a shell of root's, that takes commands from its standard input, with these variables. */
export function shellCommand({ user, env }: { user: string; env: Readonly<Record<string, string>> }): string {
  const script = `${path}; exec ${asRoot(user)}env "$@" sh -c 'umask 077; exec sh'`;
  return quotedWords(['sh', '-c', script, 'sh', ...variables(env)]);
}

function variables(env: Readonly<Record<string, string>>): string[] {
  return Object.entries({ ...env, LC_ALL: 'C' }).map(([name, value]) => `${name}=${value}`);
}

/** Words for a shell, which sees everything between single quotes as it is. */
export function quotedWords(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
