import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { parseHostFile } from '../../domain/host-file.ts';
import { documents, root } from '../docs/markdown.ts';
import { told } from './command.ts';
import type { Said } from './command.ts';
import { xl } from './world.ts';
import type { TestHost, World } from './world.ts';

interface Step {
  at: TestHost;
  line: string;
}

/**
 * A walk of docs/operations.md: the commands below a heading, from its `block`th block (from 0) that has prompts, as a person would type
 * them on the hosts of the world.
 */
export function walkOf(world: World, heading: string, block = 0): Step[] {
  const { text } = documents().find(({ path }) => path === 'docs/operations.md')!;
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/operations.md has no section ${heading}`);
  const body = [...section.matchAll(/^```console\n([\s\S]*?)^```$/gm)][block]?.[1];
  if (body === undefined) throw new Error(`${heading} has no block ${String(block)}`);
  return [...body.matchAll(/^(lon-1|fra-1)# (.+)$/gm)].map(([, host, line = '']) => ({
    at: host === 'lon-1' ? world.london : world.frankfurt,
    line,
  }));
}

/** Types the commands one after another, for `vm` where the document says `web-1`; gives what each `sealift` said. */
export async function take(world: World, steps: Step[], vm: string): Promise<Said[]> {
  const said: Said[] = [];
  for (const { at, line } of steps) {
    if (line === 'systemctl stop sealift-host') await world.killWorker(at);
    else if (line === 'systemctl start sealift-host') await world.startWorker(at);
    else if (line.startsWith('xl ')) await xl(at, ...line.replaceAll('web-1', vm).split(' ').slice(1));
    else if (/^(cp|sed) /.test(line)) await carry(world, line);
    // all hosts of the world have one folder to type in
    else if (!line.startsWith('scp ')) said.push(await type(world, at, line.replaceAll('web-1', vm)));
  }
  return said;
}

/** Runs a command that copies from the disk of London, which is mounted below /mnt. */
async function carry(world: World, line: string): Promise<void> {
  const { filePath } = world.london.host;
  const { state } = parseHostFile(await readFile(filePath, 'utf8'), filePath);
  const [command = '', into] = line
    .replaceAll('/mnt/etc/sealift/host.toml', filePath)
    .replaceAll('/mnt/var/lib/sealift', state)
    .replaceAll('/var/lib/sealift', state)
    .replaceAll('/root', world.folder)
    .split(' > ');
  const [program = '', ...args] = command.split(' ');
  const { stdout } = await execa(program, args);
  if (into !== undefined) await writeFile(join(world.folder, into), stdout);
}

/** Runs one `sealift …` on a host, with the host's own file in the place of /etc/sealift/host.toml. */
async function type(world: World, at: TestHost, line: string): Promise<Said> {
  const [command = '', into] = line.split(' > ');
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
  const [program, group, name, vm = ''] = words;
  if (program !== 'sealift' || group !== 'deed') throw new Error(`not a command of a walk: ${line}`);
  const args = words.slice(1).map((word) => (word === '/etc/sealift/host.toml' ? at.host.filePath : word));
  if (!args.includes('--file')) args.push('--file', at.host.filePath);
  // what a person types when asked
  if (name === 'claim') args.push('--confirm', vm);
  const ended = await execa(join(root, 'sealift'), args, {
    cwd: world.folder,
    // no server: a port that nobody listens on
    env: { ...at.host.env, TEMPORAL_ADDRESS: '127.0.0.1:1', XDG_CONFIG_HOME: world.folder },
    stdin: 'ignore',
    reject: false,
    ...(into === undefined ? {} : { stdout: ['pipe', { file: join(world.folder, into) }] as const }),
  });
  return told(ended);
}
