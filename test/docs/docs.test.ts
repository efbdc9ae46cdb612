import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { loadClientConfigFromToml } from '@temporalio/envconfig';
import type { Command } from 'commander';
import { z } from 'zod';
import { Cli } from '../../cli/cli.ts';
import type { Io } from '../../cli/io.ts';
import { main } from '../../cli/main.ts';
import { makeProgram } from '../../cli/program.ts';
import { SealiftError } from '../../domain/error.ts';
import { hostFile, parseHostFile } from '../../domain/host-file.ts';
import { commandLines, documents, root } from './markdown.ts';
import type { CommandLine } from './markdown.ts';

const all = documents();
const lines = all.flatMap(commandLines);

describe('documented command lines', () => {
  test('are found', () => {
    expect(lines.filter(({ whole }) => whole).length).toBeGreaterThan(15);
    expect(lines.map(({ words }) => words.join(' '))).toContain('watch web-1');
  });

  test('name commands and options that there are', () => {
    const program = makeProgram(new Cli(silentIo()));
    expect(lines.flatMap((line) => unknownWords(program, line))).toEqual([]);
  });

  test('are taken by the command as they stand', async () => {
    const refused: string[] = [];
    for (const { where, words } of lines.filter(({ whole }) => whole)) {
      const said = await tryOut(words);
      if (said !== null) refused.push(`${where}: ${said}`);
    }
    expect(refused).toEqual([]);
  });
});

describe('references', () => {
  test('links lead to files and headings', () => {
    const broken = all.flatMap(({ path, links }) =>
      links.filter((link) => !/^https?:/.test(link) && !leadsSomewhere(path, link)).map((link) => `${path}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  test('paths of this project are there', () => {
    const folders = readdirSync(root, { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && !['node_modules', 'dist', 'coverage', '.sealift', '.git'].includes(entry.name),
    );
    const ours = new RegExp(`^(${folders.map(({ name }) => name.replace('.', '\\.')).join('|')})/[\\w./-]*$`);
    const paths = all.flatMap(({ path, code }) => code.filter((one) => ours.test(one)).map((one) => ({ path, one })));
    expect(paths.length).toBeGreaterThan(50);
    expect(paths.filter(({ one }) => !existsSync(join(root, one)))).toEqual([]);
  });

  test('npm scripts are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = all.flatMap(({ text }) => [...text.matchAll(/npm (?:run )?(start|test|(?<=run )[\w:-]+)/g)]);
    expect(named.map(([, script = '']) => script).filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);
  });
});

describe('blocks', () => {
  const blocks = all.flatMap(({ path, blocks: own }) => own.map((block) => ({ path, ...block })));

  test('that name a file are that file', () => {
    const shown = blocks.flatMap(({ file, text }) => (file === null ? [] : [{ file, text }]));
    expect(shown.map(({ file }) => file)).toEqual([
      'test/docs/example.ts',
      'infra/systemd/sealift-host.service',
      'infra/systemd/sealift-control.service',
    ]);
    for (const { file, text } of shown) {
      const kept = readFileSync(join(root, file), 'utf8').replace("'../../client/index.ts'", "'sealift'");
      expect(text).toBe(kept);
    }
  });

  test('in TOML parse as what they are', () => {
    const tomls = blocks.filter(({ language }) => language === 'toml').map(({ text }) => text);
    expect(tomls.length).toBeGreaterThanOrEqual(3);
    for (const text of tomls) {
      if (/^\[profile\./m.test(text)) loadClientConfigFromToml(Buffer.from(text), { strict: true });
      else parseHostFile(text, 'host.toml');
    }
  });

  test('docs/hosts.md tells every field of the host file, and no other', () => {
    const { text } = all.find(({ path }) => path === 'docs/hosts.md')!;
    const told = [...text.matchAll(/^\| ((?:`[\w.]+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([\w.]+)`/g)].map(([, field]) => field),
    );
    expect(told.sort()).toEqual(fieldsOf(z.toJSONSchema(hostFile, { io: 'input' }) as JsonSchema).sort());
  });
});

/** Walks the words as the command would; gives those that name no command or option. */
function unknownWords(program: Command, { where, words }: CommandLine): string[] {
  let command = program;
  let inCommand = true;
  const unknown: string[] = [];
  for (const word of words) {
    const sub = inCommand ? command.commands.find((one) => one.name() === word) : undefined;
    if (sub !== undefined) command = sub;
    else if (word.startsWith('-')) {
      const flag = word.replace(/[=\]].*$/, '');
      const known = [...program.options, ...command.options].some((one) => one.long === flag || one.short === flag);
      if (!known && flag !== '--help') unknown.push(`${where}: ${word}`);
      inCommand = false;
    } else {
      const isHelp = words[0] === 'help';
      if (command.commands.length > 0 && inCommand && !isHelp && /^[a-z]/.test(word)) unknown.push(`${where}: ${word}`);
      inCommand &&= isHelp;
    }
  }
  return unknown;
}

/** Commands that do something on this machine before they ask any server: only their words are looked at. */
const local =
  /^(up|doctor|completion|experiment|operator|deed (abort|give-back|take|claim|heed)|host (init|trust|show( --file.*)?$)|receipt verify)/;

/** Null when the command line is taken: it comes as far as asking for a server, which there is not. */
async function tryOut(words: string[]): Promise<string | null> {
  const io = silentIo();
  if (!local.test(words.join(' '))) {
    const code = await main(words, io);
    return code === (words[0] === 'help' ? 0 : 5) ? null : `exit ${String(code)}: ${io.said()}`;
  }
  const program = makeProgram(new Cli(io));
  disarm(program);
  return program.parseAsync(words, { from: 'user' }).then(() => null, String);
}

function disarm(command: Command): void {
  for (const one of command.commands) {
    if (one.commands.length === 0) one.action(() => undefined);
    disarm(one);
  }
}

function silentIo(): Io & { said: () => string } {
  let said = '';
  const stream = Object.assign(new PassThrough(), { isTTY: false, columns: 100, rows: 40 });
  stream.on('data', (data: Buffer) => (said += data.toString()));
  return {
    stdin: Object.assign(new PassThrough(), { isTTY: false }),
    stdout: stream,
    stderr: stream,
    env: {},
    connect: () => Promise.reject(new SealiftError('temporal-away', 'no server in this test')),
    onInterrupt: () => () => undefined,
    said: () => said,
  };
}

function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const path = file === '' ? from : join(dirname(from), file);
  if (!existsSync(join(root, path))) return false;
  return anchor === undefined || (all.find((one) => one.path === path)?.anchors.has(anchor) ?? false);
}

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  oneOf?: JsonSchema[];
}

/** `landing.port`, `pool.name`, …; a list of tables is also named by itself where a reader has to know that it is one. */
function fieldsOf(schema: JsonSchema, before = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${before}${name}`;
    const inside = field.items ?? field;
    const inner = [...new Set((inside.oneOf ?? [inside]).flatMap((kind) => fieldsOf(kind, `${path}.`)))];
    if (inner.length === 0) return [path];
    return path === 'pool' ? [path, ...inner] : inner;
  });
}
