import { join } from 'node:path';
import { build } from 'esbuild';
import { z } from 'zod';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import type { VolumeTask } from './volume-driver.ts';

const programPath = '/root/volume-driver.mjs';
const answers = z.array(
  z.union([z.object({ done: z.unknown() }), z.object({ failed: z.object({ type: z.string(), message: z.string() }) })]),
);
type Answers = z.infer<typeof answers>;

/** Puts the program that fences and allocates volumes, made of these sources, into a dom0. */
export async function installVolumeDriver(host: XenHost): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'volume-driver.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'warning',
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`,
    },
  });
  await host.writeFile(programPath, outputFiles[0]?.text ?? '');
}

/**
 * Runs it for some tasks, one after the other: to start it takes an emulated processor many seconds. Gives for each what was done or how
 * it failed; none when it killed itself, as it was asked to.
 */
export async function actOnVolumes(host: XenHost, ...tasks: VolumeTask[]): Promise<Answers> {
  const { exitCode, stdout, stderr } = await host.exec(['/opt/sealift/node', programPath, JSON.stringify(tasks)]);
  if (exitCode === 0) return answers.parse(JSON.parse(stdout));
  if (stdout === '' && stderr === '') return [];
  throw new Error(`${host.name}: ${stderr}`);
}

/** The same of what has to succeed; gives what the last one did. */
export async function doOnVolumes(host: XenHost, ...tasks: VolumeTask[]): Promise<unknown> {
  const said = await actOnVolumes(host, ...tasks);
  const last = said.at(-1);
  if (last !== undefined && 'done' in last && said.every((one) => 'done' in one)) return last.done;
  throw new Error(`${host.name}: ${JSON.stringify(said)}`);
}
