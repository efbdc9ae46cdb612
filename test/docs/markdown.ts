import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

/** A fenced block of a document: its language, its text, and the file that the comment before it names. */
export interface Block {
  language: string;
  text: string;
  file: string | null;
}

export interface Document {
  /** Within the project: `docs/hosts.md`. */
  path: string;
  text: string;
  blocks: Block[];
  /** What stands between backticks outside of the blocks. */
  code: string[];
  /** Targets of links outside of the blocks. */
  links: string[];
  /** Anchors of the headings. */
  anchors: Set<string>;
}

/** README.md and everything in docs/. */
export function documents(): Document[] {
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...docs.map((name) => `docs/${name}`)].map(read);
}

const fenced = /^(?:<!-- file: (\S+) -->\n)?```(\w*)\n([\s\S]*?)^```$/gm;

function read(path: string): Document {
  const text = readFileSync(join(root, path), 'utf8');
  const blocks = [...text.matchAll(fenced)].map(([, file, language = '', body = '']) => ({
    language,
    text: body,
    file: file ?? null,
  }));
  const prose = text.replaceAll(fenced, '').replaceAll(/^ {4}.*$/gm, '');
  const plain = prose.replaceAll(/`[^`\n]*`/g, '');
  return {
    path,
    text,
    blocks,
    code: [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code),
    links: [...plain.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target),
    anchors: new Set([...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))),
  };
}

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(/\s/g, '-');
}

/** A documented command line: its words after `sealift`, without comment and redirection. */
export interface CommandLine {
  where: string;
  words: string[];
  /** Stands alone in a shell block, so that it can be typed as it is. */
  whole: boolean;
}

/** Every `sealift …` line of shell blocks, and every `sealift …` between backticks. */
export function commandLines(document: Document): CommandLine[] {
  const shell = document.blocks
    .filter(({ language, file }) => file === null && ['sh', 'text', 'console', ''].includes(language))
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => ({ text: /^\s*(?:\$ )?(?:\.\/)?sealift (?!up:)([a-z].*)$/.exec(line)?.[1], whole: true }));
  const inline = document.code.map((code) => ({ text: /^(?:\.\/)?sealift ([a-z-].*)$/.exec(code)?.[1], whole: false }));
  return [...shell, ...inline].flatMap(({ text, whole }) => {
    if (text === undefined) return [];
    const words = wordsOf(text);
    return [{ where: `${document.path}: sealift ${text}`, words, whole: whole && !words.some(isPlaceholder) }];
  });
}

/** `VM`, `<vm>`, `[options]`, `…`: to be replaced by whoever types the line. */
function isPlaceholder(word: string): boolean {
  return /[<>[\]…|]|\.\.\./.test(word) || /^[A-Z][A-Z=-]+$/.test(word);
}

function wordsOf(text: string): string[] {
  const end = / (?:#|>|\||&&)(?: |$)/.exec(text)?.index ?? text.length;
  const words = text.slice(0, end).match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  return words.map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
}
