import type { SealiftError } from '../../domain/error.ts';
import { syntaxError, tokens } from './lex.ts';
import type { Token } from './lex.ts';
import type { XlConfig, XlEntry, XlValue } from './types.ts';
import { added } from './values.ts';

/** The longest text of a configuration that is read, in characters. */
const maximumLength = 1024 * 1024;
/** How deep lists may nest: more than any setting of xl has. */
const maximumDepth = 32;

/**
 * Reads an xl configuration by the grammar of libxlu (xl.cfg(5)): settings by `=` or `+=`, ended by a newline or `;`; atoms or
 * lists, which nest, may span lines and may end in a comma. Keeps order, comments and settings that it does not know.
 * Throws 'config-syntax' as `name:line:column: what`; the message quotes nothing of the text.
 */
export function parseXlConfig(text: string, name = 'config'): XlConfig {
  if (text.length > maximumLength) throw syntaxError(name, 1, 1, `longer than ${String(maximumLength)} characters`);
  const reader = new Reader(text, name);
  const config: XlConfig = { name, entries: [] };
  for (;;) {
    const token = reader.take();
    if (token.kind === 'end') return config;
    if (token.kind === 'newline' || token.kind === ';') continue;
    if (token.kind === 'comment') {
      config.entries.push(comment(token, false));
    } else if (token.kind === 'ident') {
      readSetting(reader, token, config);
    } else {
      throw reader.unexpected(token, 'the name of a setting');
    }
  }
}

function readSetting(reader: Reader, key: Token, config: XlConfig): void {
  const operator = reader.take();
  if (operator.kind !== '=' && operator.kind !== '+=') throw reader.unexpected(operator, 'an "="');
  const inside: XlEntry[] = [];
  const value = readValue(reader, reader.take(), inside, 0);
  const setting: XlEntry = { kind: 'setting', key: key.text, operator: operator.kind, value, line: key.line };
  try {
    added(config, setting);
  } catch {
    throw syntaxError(
      config.name,
      operator.line,
      operator.column,
      'a list cannot be added to a single value, nor the other way',
    );
  }
  config.entries.push(setting);
  const end = reader.take();
  if (end.kind === 'comment') config.entries.push(comment(end, true));
  else if (end.kind !== 'newline' && end.kind !== ';' && end.kind !== 'end')
    throw reader.unexpected(end, 'the end of the line');
  config.entries.push(...inside);
}

/** Comments within a list are kept behind its setting. */
function readValue(reader: Reader, first: Token, comments: XlEntry[], depth: number): XlValue {
  if (first.kind === 'atom') return first.text;
  if (first.kind !== '[') throw reader.unexpected(first, 'a string, a number or a "["');
  if (depth === maximumDepth) throw syntaxError(reader.name, first.line, first.column, 'lists nest too deep');
  const list: XlValue[] = [];
  const next = (): Token => {
    for (;;) {
      const token = reader.take();
      if (token.kind === 'comment') comments.push(comment(token, false));
      else if (token.kind !== 'newline') return token;
    }
  };
  for (let token = next(); token.kind !== ']';) {
    list.push(readValue(reader, token, comments, depth + 1));
    token = next();
    if (token.kind === ',') token = next();
    else if (token.kind !== ']') throw reader.unexpected(token, 'a "," or a "]"');
  }
  return list;
}

function comment(token: Token, trailing: boolean): XlEntry {
  return { kind: 'comment', text: token.text, trailing, line: token.line };
}

class Reader {
  readonly name: string;
  readonly #tokens: Generator<Token, Token>;
  #end: Token | undefined;

  constructor(text: string, name: string) {
    this.#tokens = tokens(text, name);
    this.name = name;
  }

  /** The next token; at the end, the end again and again. */
  take(): Token {
    return this.#end ?? this.#advance();
  }

  #advance(): Token {
    const { value, done } = this.#tokens.next();
    if (done === true) this.#end = value;
    return value;
  }

  unexpected(token: Token, expected: string): SealiftError {
    return syntaxError(this.name, token.line, token.column, `expected ${expected}, found ${found[token.kind]}`);
  }
}

const found: Record<Token['kind'], string> = {
  ident: 'a bare word',
  atom: 'a value',
  comment: 'a comment',
  newline: 'the end of the line',
  end: 'the end of the file',
  '=': 'an "="',
  '+=': 'a "+="',
  '[': 'a "["',
  ']': 'a "]"',
  ',': 'a ","',
  ';': 'a ";"',
};
