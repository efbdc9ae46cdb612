import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Toolstack } from '../../xen/toolstack.ts';
import { xlToolstack } from '../../xen/xl.ts';

export const fixtures = join(import.meta.dirname, '../fixtures');

/** What a real xl printed on standard output. */
export function recorded(name: string): string {
  return readFileSync(join(fixtures, 'xl', `${name}.stdout`), 'utf8');
}

/** An xl that answers with recorded outputs: arguments → fixtures, one a call, the last one stays. */
export interface RecordedXl extends AsyncDisposable {
  toolstack: Toolstack;
  folder: string;
  /** The arguments of every call so far. */
  calls(): Promise<string[]>;
}

/** `made` adds answers that were not recorded: name → standard output, exit 0. */
export async function recordedXl(
  answers: Record<string, string[]>,
  made: Record<string, string> = {},
): Promise<RecordedXl> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-xl-'));
  for (const [name, stdout] of Object.entries(made)) {
    await writeFile(join(folder, `${name}.stdout`), stdout);
    await writeFile(join(folder, `${name}.stderr`), '');
    await writeFile(join(folder, `${name}.exit`), '0\n');
  }
  for (const [argv, names] of Object.entries(answers)) {
    const file = argv.replaceAll(' ', '_');
    await writeFile(join(folder, file), names.map((name) => `${name}\n`).join(''));
  }
  const log = join(folder, 'log');
  return {
    toolstack: xlToolstack({
      command: join(fixtures, 'bin-recorded/xl'),
      env: { XL_ANSWERS: folder },
      limitMs: 10_000,
    }),
    folder,
    calls: async () => (existsSync(log) ? (await readFile(log, 'utf8')).trimEnd().split('\n') : []),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** A list as `xl list -v` prints it, from lines of name, domid, state, uuid, and processor time. */
export function listOf(
  ...domains: [name: string, domid: number, state: string, uuid: string, seconds?: number][]
): string {
  const head =
    'Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label';
  const lines = domains.map(([name, domid, state, uuid, seconds = 5.9]) =>
    [
      name.padEnd(40),
      String(domid).padStart(5),
      '   96',
      '    1',
      `    ${state}`,
      ` ${seconds.toFixed(1).padStart(8)}`,
      uuid,
      '       -',
      '               -',
    ].join(' '),
  );
  return [head, ...lines, ''].join('\n');
}
