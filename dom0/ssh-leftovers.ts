import { notItself } from './ssh-look.ts';

/** A variable of what must not go on when the line is lost by which it was begun. */
const variable = 'SEALIFT_LINE';

/** Kills what has "$1" in its arguments, as what is only about to become a program has, or in its environment, and tells what that was. */
const killScript = [
  'found=$(grep -als -e "$1" /proc/[0-9]*/cmdline /proc/[0-9]*/environ)',
  '[ $? -le 2 ] || exit 125',
  'for pid in $(echo "$found" | cut -d / -f 3 | sort -u)',
  'do echo "$pid"; kill -KILL "$pid" 2>/dev/null; done',
  'echo looked',
].join('; ');

const kill = (mark: string): string[] => ['sh', '-c', killScript, 'sh', notItself(mark)];

/** What a line has begun in a dom0 and that is to end with it: shells and writes. */
export const leftovers = {
  mark: (owner: string, line: string): Record<string, string> => ({ [variable]: `${owner}/${line}` }),

  /** Ends them, of one line. */
  ofLine: (owner: string, line: string): string[] => kill(`${variable}=${owner}/${line}`),

  /** Ends them, of all lines of a host. */
  ofOwner: (owner: string): string[] => kill(`${variable}=${owner}/`),

  /** Whether there were none, by what the program wrote; null when it has not looked. */
  areNone: (told: string): boolean | null => {
    const lines = told.split('\n').filter((line) => line !== '');
    return lines.at(-1) === 'looked' ? lines.length === 1 : null;
  },
};
