import { XlFailure } from './xl-failure.ts';

/** The parsed arguments of a command: how often each option stood there, the values of those that take one, and the rest. */
export interface Options {
  count: (letter: string) => number;
  value: (letter: string) => string | null;
  operands: string[];
}

/**
 * Parses as getopt_long does in xl: `spec` are the option letters, a colon behind those that take a value; `long` maps long
 * names to letters. Fails as xl does, with exit code 2, on an unknown option and when operands are missing.
 */
export function parseOptions(
  command: string,
  args: string[],
  spec: string,
  long: Record<string, string> = {},
  needed = 0,
): Options {
  const given: { letter: string; value: string }[] = [];
  const operands: string[] = [];
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      operands.push(...rest.splice(0));
    } else if (word.startsWith('--')) {
      const [name = '', value] = word.slice(2).split('=', 2);
      const letter = long[name];
      if (letter === undefined) throw unsupported(word);
      given.push({ letter, value: takesValue(spec, letter) ? (value ?? rest.shift() ?? '') : '' });
    } else if (word.startsWith('-') && word.length > 1) {
      for (let at = 1; at < word.length; at += 1) {
        const letter = word.charAt(at);
        if (letter === ':' || !spec.includes(letter)) throw unsupported(letter);
        const value = takesValue(spec, letter) ? word.slice(at + 1) || (rest.shift() ?? '') : '';
        given.push({ letter, value });
        if (takesValue(spec, letter)) break;
      }
    } else {
      operands.push(word);
    }
  }
  if (operands.length < needed)
    throw new XlFailure(2, `'xl ${command}' requires at least ${String(needed)} argument${needed > 1 ? 's' : ''}.`, '');
  return {
    count: (letter) => given.filter((one) => one.letter === letter).length,
    value: (letter) => given.findLast((one) => one.letter === letter)?.value ?? null,
    operands,
  };
}

function takesValue(spec: string, letter: string): boolean {
  return spec.charAt(spec.indexOf(letter) + 1) === ':';
}

function unsupported(option: string): XlFailure {
  return new XlFailure(2, `option \`${option}' not supported.`);
}
