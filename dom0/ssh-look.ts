import { SealiftError } from '../domain/error.ts';

/** What every kernel has: where it is not among what was found, the look itself has failed. */
export const alwaysThere = { path: '/proc/version', text: 'Linux version' };

/** The scripts by which many files are looked at. What vanishes meanwhile is left out; any other failure is one of the look. */
export const lookScripts = {
  stat: (pattern: string): string =>
    `printf '%s\\0' / ${checked(pattern)} | xargs -0 stat -L -c "$1" -- 2>/dev/null; ${orFail('0|123')}`,
  read: (pattern: string): string => `grep -aHsZ -e '' -- ${alwaysThere.path} ${checked(pattern)}; ${orFail('0|1|2')}`,
  find: (pattern: string): string =>
    `printf '%s\\0' ${alwaysThere.path} ${checked(pattern)} | xargs -0 grep -als -e "$1" -e "$2" --; ${orFail('0|123')}`,
};

/** A basic regular expression for a text, which is not found in the arguments of who looks for it. */
export function notItself(text: string): string {
  return `[${text.slice(0, 1)}]${text.slice(1).replaceAll(/[.[\]*^$\\]/g, '\\$&')}`;
}

export function lookFailed(program: string): SealiftError {
  return new SealiftError('dom0-away', `${program} in dom0 does not look at what it is told to`);
}

function orFail(codes: string): string {
  return `case $? in ${codes}) ;; *) exit 125 ;; esac`;
}

/** Patterns are of our own making, and go to a shell as they are. */
function checked(pattern: string): string {
  if (/^\/[\w/.:@%+=,!*[\]-]+$/.test(pattern)) return pattern;
  throw new SealiftError('internal', `"${pattern}" is no pattern for dom0`);
}
