import { join } from 'node:path';
import { execa } from 'execa';
import { errorKind } from '../../domain/error-types.ts';
import { isSealiftError } from '../../domain/error.ts';
import type { TemporalServer } from '../temporal/server.ts';

const root = join(import.meta.dirname, '../..');
/** The port that Temporal's clients look for when they are told nothing. */
export const temporalPort = 7233;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs the command line as a user would, and shows what was typed. Returns its exit code. */
export async function sealift({ address }: TemporalServer, args: string[]): Promise<number> {
  say(`\n$ ./sealift ${args.join(' ')}`);
  const run = await execa(process.execPath, [join(root, 'cli/sealift.ts'), ...args], {
    stdio: 'inherit',
    reject: false,
    env: { TEMPORAL_ADDRESS: address },
  });
  return run.exitCode ?? 1;
}

/** What a visitor may type next about the VM that was moved, in another terminal; `further` are commands besides Sealift's. */
export function sayNext({ address, uiUrl }: TemporalServer, vm: string, further: string[] = []): void {
  const query = encodeURIComponent(`SealiftVm = "${vm}"`);
  const lines = [
    '',
    'To try next, in another terminal:',
    ...(address === `127.0.0.1:${String(temporalPort)}` ? [] : [`  export TEMPORAL_ADDRESS=${address}`]),
    '  ./sealift vm list',
    `  ./sealift show ${vm}`,
    `  ./sealift receipt show ${vm}`,
    `  ./sealift revert ${vm} --confirm ${vm}`,
    '  ./sealift help',
    ...further.map((line) => `  ${line}`),
    ...(uiUrl === null ? [] : [`All of it in Temporal's Web UI: ${uiUrl}/namespaces/default/workflows?query=${query}`]),
    '',
  ];
  for (const line of lines) say(line);
}

/** Ends this process as `main` does: with its exit code, or with an error as the command line tells it. */
export function endAs(main: Promise<number>): void {
  main.then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      if (!isSealiftError(error)) throw error;
      const hint = error.hint === undefined ? '' : `hint: ${error.hint}\n`;
      process.stderr.write(`sealift: ${error.message}  [${error.type}]\n${hint}`);
      process.exitCode = errorKind(error.type).exitCode ?? 1;
    },
  );
}
