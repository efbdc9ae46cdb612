import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { createIdentity, loadIdentity } from '../../deed/identity.ts';
import { SealiftError } from '../../domain/error.ts';
import { parseHostFile, pool as hostPool, printHostFile } from '../../domain/host-file.ts';
import type { HostFile } from '../../domain/host-file.ts';
import { hostName, siteName } from '../../domain/names.ts';
import type { Cli } from '../cli.ts';
import { defaultHostFile } from '../host-file.ts';
import { endpoint, parseOptions } from '../parse.ts';
import {
  addDom0Options,
  addSshOptions,
  dom0Of,
  dom0Options,
  serverOf,
  sshArguments,
  sshOptions,
} from '../ssh-options.ts';
import { examples } from './examples.ts';

const defaultState = '/var/lib/sealift';

const pool = z.string().transform((text, context) => {
  const [, name = '', place = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  const [, group, thin] = /^lvm:([^/]+)(?:\/([^/]+))?$/.exec(place) ?? [];
  const asked = group === undefined ? { kind: 'folder', path: place } : { kind: 'lvm', group, ...(thin && { thin }) };
  const parsed = hostPool.safeParse({ name, ...asked });
  if (parsed.success) return parsed.data;
  context.addIssue(`'${text}' is not a pool: use fast=/srv/sealift/fast, fast=lvm:GROUP or fast=lvm:GROUP/THIN-POOL`);
  return z.NEVER;
});

const options = z.object({
  name: hostName,
  site: siteName,
  landing: endpoint,
  pool: z.array(pool).min(1),
  state: z
    .string()
    .transform((path) => resolve(path))
    .default(defaultState),
  file: z.string().default(defaultHostFile),
  ...dom0Options,
  ...sshOptions,
});

export function addHostInit(host: Command, cli: Cli): void {
  const command = host
    .command('init')
    .description('make this machine a host: draw its identity and write its file')
    .requiredOption('--name <name>', "the host's name")
    .requiredOption('--site <site>', 'the site it is at')
    .requiredOption('--landing <host:port>', 'where other hosts reach it to send disks')
    .requiredOption('--pool <name=place...>', 'what takes disks: a folder, or lvm:GROUP[/THIN-POOL]')
    .option('--state <folder>', `its identity and database (default: ${defaultState})`)
    .option('--file <path>', `the host's file (default: ${defaultHostFile})`);
  addDom0Options(command);
  addSshOptions(command, 'this host')
    .addHelpText(
      'after',
      examples('sealift host init --name lon-1 --site london --landing 203.0.113.7:7410 --pool fast=/srv/sealift/fast'),
    )
    .action(async (raw: unknown) => {
      const asked = parseOptions(options, raw);
      const { file, name, site, landing, pool, state, ssh, sshFolder, sshHostKey } = asked;
      const staging = serverOf({ ssh, sshFolder, sshHostKey });
      const dom0 = dom0Of(asked);
      const made = await makeHost(file, {
        ...{ name, site, landing, pool, state },
        ...(dom0 === undefined ? {} : { dom0 }),
        ...(staging === undefined ? {} : { staging }),
      });
      cli.answer({ ...made, file }, [
        `${made.name} is made: ${file}`,
        `  identity   ${made.identity}`,
        '',
        `on each other host: sealift host trust ${made.name} ${made.identity}${staging === undefined ? '' : ` ${sshArguments(staging)}`}`,
        'here, for each of them: sealift host trust NAME IDENTITY',
      ]);
    });
}

/** Writes the file first, which refuses to overwrite one, so that a second `init` never draws an identity for nothing. */
async function makeHost(
  path: string,
  settings: Pick<HostFile, 'name' | 'site' | 'landing' | 'pool' | 'state' | 'staging'> & {
    dom0?: Partial<HostFile['dom0']>;
  },
): Promise<{ name: string; identity: string }> {
  const text = printHostFile(settings as HostFile);
  const { name, state } = parseHostFile(text, path);
  await mkdir(dirname(resolve(path)), { recursive: true });
  const file = await open(path, 'wx', 0o644).catch((error: unknown) => {
    throw new SealiftError('bad-usage', `the host's file is there already: ${path}`, {
      hint: 'a host is made once; edit the file, or name another by --file',
      cause: error,
    });
  });
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  // A state folder that came with an identity keeps it: peers have pinned it.
  const identity = await loadIdentity(state).catch(() => createIdentity(state));
  return { name, identity: identity.name };
}
