import { SealiftError } from '../../domain/error.ts';

export interface Token {
  kind: 'ident' | 'atom' | 'comment' | 'newline' | 'end' | '=' | '+=' | '[' | ']' | ',' | ';';
  /** The text of an identifier, an atom (quotes and escapes undone) or a comment (without its `#`); else empty. */
  text: string;
  line: number;
  column: number;
}

/**
 * Cuts the text of an xl configuration into tokens, as libxlu's lexer does: identifiers in lower case, numbers, strings in
 * either quote with backslash escapes, `#` comments up to the end of their line. Returns the
 * end. Throws 'config-syntax'.
 */
export function* tokens(text: string, name: string): Generator<Token, Token> {
  let line = 1;
  let lineStart = 0;
  let at = 0;
  while (at < text.length) {
    const column = at - lineStart + 1;
    const matched = match(text, at);
    if (matched === null) throw syntaxError(name, line, column, strange(text.slice(at)));
    if (matched.kind !== 'blank') {
      const token = { kind: matched.kind, text: matched.text, line, column };
      if (matched.kind === 'atom' && matched.quoted) token.text = unescape(token, name);
      yield token;
    }
    at += matched.length;
    if (matched.kind === 'newline') {
      line++;
      lineStart = at;
    }
  }
  return { kind: 'end', text: '', line, column: at - lineStart + 1 };
}

/** A 'config-syntax' error at a place of a file, both counted from 1. It never quotes the file. */
export function syntaxError(name: string, line: number, column: number, what: string): SealiftError {
  return new SealiftError('config-syntax', `${name}:${String(line)}:${String(column)}: ${what}`);
}

const patterns = [
  ['blank', /[ \t]+/y],
  ['newline', /\n/y],
  ['comment', /#([^\n]*)/y],
  ['ident', /([a-z][._0-9a-z]*)/y],
  ['atom', /([0-9][0-9a-fx]*)/y],
  ['string', /"((?:[^"\\\n\0]|\\[^\n\0])*)"/y],
  ['string', /'((?:[^'\\\n\0]|\\[^\n\0])*)'/y],
  ['+=', /\+=/y],
  ['punctuation', /[=[\],;]/y],
] as const;

interface Match {
  kind: Exclude<Token['kind'], 'end'> | 'blank';
  text: string;
  length: number;
  quoted: boolean;
}

function match(text: string, at: number): Match | null {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) continue;
    const length = found[0].length;
    if (kind === 'punctuation') return { kind: found[0] as '=', text: '', length, quoted: false };
    if (kind === 'string') return { kind: 'atom', text: found[1] ?? '', length, quoted: true };
    return { kind, text: found[1] ?? '', length, quoted: false };
  }
  return null;
}

const escapes: Record<string, string> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function unescape(token: Token, name: string): string {
  return token.text.replaceAll(/\\(.)/gsu, (_whole, letter: string) => {
    const meant = escapes[letter];
    // libxlu's own numeric escapes are broken: \x is always an error there, and octal ones vanish from the string.
    if (meant === undefined)
      throw syntaxError(name, token.line, token.column, 'a string has an escape that xl does not know');
    return meant;
  });
}

function strange(rest: string): string {
  const first = rest.charCodeAt(0);
  if (first === 0x22 || first === 0x27) return 'a string does not end on its line';
  if (first === 0x0d) return 'a carriage return (a DOS line end), which xl does not take';
  if (first < 0x20 || first === 0x7f) return `a control character (${String(first)})`;
  if (/^[A-Z]/.test(rest)) return 'a word in upper case; names of settings are in lower case';
  if (/^[-+.():]/.test(rest)) return 'this looks like Python, which xl does not take';
  return 'a character that cannot stand here';
}
