import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import type { World } from './world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What `./sealift` said, as a child process against the world's server. */
export interface Said {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
  /** Standard output's lines as JSON objects: one with `--json`, one an event for commands that follow a move. */
  json: Record<string, unknown>[];
}

/** Runs the command line of this checkout, without a terminal, to its end. */
export async function sealift(world: World, ...args: string[]): Promise<Said> {
  return told(await startSealift(world, ...args));
}

/** Starts it; `told` reads what it said when it has ended. */
export function startSealift(world: World, ...args: string[]) {
  return execa(join(root, 'sealift'), args, {
    cwd: root,
    env: { TEMPORAL_ADDRESS: world.up.server.address },
    stdin: 'ignore',
    reject: false,
  });
}

export function told(ended: { exitCode?: number; stdout: string; stderr: string }): Said {
  const { exitCode, stdout, stderr } = ended;
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return {
    exitCode,
    stdout,
    stderr,
    json: lines.map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line))),
  };
}
