import { alwaysThere, notItself } from './ssh-look.ts';

/** A variable of what must not go on when the line is lost by which it was begun. */
const variable = 'SEALIFT_LINE';

/**
 * Kills what has "$1" in its arguments, as what is only about to become a program has, or in its environment, and tells what that was; and
 * what is there always, so that it is known to have looked.
 */
const killScript = [
  `for file in $(grep -als -e "$1" -e "$2" ${alwaysThere.path} /proc/[0-9]*/cmdline /proc/[0-9]*/environ)`,
  'do pid=${file#/proc/}',
  'pid=${pid%%/*}',
  'echo "$pid"',
  '[ "$pid" = version ] || kill -KILL "$pid" 2>/dev/null',
  'done',
  ':',
].join('; ');

const kill = (text: string): string[] => ['sh', '-c', killScript, 'sh', notItself(text), notItself(alwaysThere.text)];

/** What a line has begun in a dom0 and that is to end with it: shells and writes. */
export const leftovers = {
  mark: (owner: string, line: string): Record<string, string> => ({ [variable]: `${owner}/${line}` }),

  /** What all of a host's have among their variables. */
  textOf: (owner: string): string => `${variable}=${owner}/`,

  /** Ends them, of one line. */
  ofLine: (owner: string, line: string): string[] => kill(`${variable}=${owner}/${line}`),

  /** Ends them, of all lines of a host. */
  ofOwner: (owner: string): string[] => kill(`${variable}=${owner}/`),

  /** The processes that it was told to end, by what it wrote; null when it has not looked. */
  killed: (told: string): string[] | null => {
    const found = new Set(told.split('\n').filter((line) => line !== ''));
    return found.delete('version') ? [...found] : null;
  },
};
