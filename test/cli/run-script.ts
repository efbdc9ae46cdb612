import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

const program = new URL('../../cli/sealift.ts', import.meta.url).pathname;

interface Step {
  line: string;
  stdout: string[];
  stderr: string[];
  exitCode: number;
}

/**
 * Runs a text script: lines `$ COMMAND` with, below each, what it must print on standard output (`1> …`) and standard error
 * (`2> …`) and its exit code (`? 2`; default 0); then files inline, each after `-- NAME --`. `[..]` stands for any text
 * within a line, a line `...` for any lines. `sealift` is the real command, in a folder with the files; `cat` prints one.
 */
export async function runScript(text: string): Promise<{ said: string; expected: string }> {
  const { steps, files } = parse(text);
  const folder = await mkdtemp(join(tmpdir(), 'sealift-script-'));
  try {
    for (const [name, content] of files) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content.replaceAll('$WORK', folder));
    }
    const said: string[] = [];
    const expected: string[] = [];
    for (const step of steps) {
      const result = await run(step.line, folder);
      said.push(...told(step.line, result));
      expected.push(...told(step.line, fit(step, result)));
    }
    return { said: said.join('\n'), expected: expected.join('\n') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Result = Pick<Step, 'stdout' | 'stderr' | 'exitCode'>;

async function run(line: string, folder: string): Promise<Result> {
  const [command = '', ...args] = words(line);
  const [file, argv] = command === 'sealift' ? [process.execPath, [program, ...args]] : [command, args];
  const result = await execa(file, argv, {
    cwd: folder,
    reject: false,
    stdin: 'ignore',
    timeout: 60_000,
    env: { HOME: folder, TEMPORAL_ADDRESS: '127.0.0.1:1', NODE_COMPILE_CACHE: join(folder, '.cache') },
  });
  const lines = (output: string): string[] => (output === '' ? [] : output.replaceAll(folder, '$WORK').split('\n'));
  return { stdout: lines(result.stdout), stderr: lines(result.stderr), exitCode: result.exitCode ?? -1 };
}

/** The expected output with its wildcards filled by what was said, so that a difference reads as a difference of texts. */
function fit(step: Step, result: Result): Result {
  return {
    stdout: fill(step.stdout, result.stdout),
    stderr: fill(step.stderr, result.stderr),
    exitCode: step.exitCode,
  };
}

function fill(expected: string[], said: string[]): string[] {
  const pattern = expected.map((line) => (line === '...' ? '(?:.*\n)*?' : `${wild(line)}\n`)).join('');
  return new RegExp(`^${pattern}$`).test(said.map((line) => `${line}\n`).join('')) ? said : expected;
}

function wild(line: string): string {
  return line
    .split('[..]')
    .map((part) => part.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'))
    .join('.*');
}

function told(line: string, { stdout, stderr, exitCode }: Result): string[] {
  return [`$ ${line}`, ...stdout.map((one) => `1> ${one}`), ...stderr.map((one) => `2> ${one}`), `? ${exitCode}`];
}

/** Words as a shell would see them, with single quotes. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}

function parse(text: string): { steps: Step[]; files: [string, string][] } {
  const [script = '', ...parts] = text.split(/^-- (.+) --\n/m);
  const steps: Step[] = [];
  for (const line of script.split('\n')) {
    const step = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ line: line.slice(2), stdout: [], stderr: [], exitCode: 0 });
    else if (line.startsWith('1>')) step?.stdout.push(line.slice(3));
    else if (line.startsWith('2>')) step?.stderr.push(line.slice(3));
    else if (line.startsWith('? ') && step !== undefined) step.exitCode = Number(line.slice(2));
    else if (line.trim() !== '' && !line.startsWith('#')) throw new Error(`not a line of a script: ${line}`);
  }
  const files: [string, string][] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) files.push([parts[at] ?? '', parts[at + 1] ?? '']);
  return { steps, files };
}
