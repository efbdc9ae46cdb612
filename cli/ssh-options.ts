import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { containerServer } from '../domain/host-file.ts';
import type { ContainerServer, HostFile } from '../domain/host-file.ts';
import { endpoint } from './parse.ts';

const login = z.string().transform((text, context): Pick<ContainerServer, 'address' | 'port' | 'user'> => {
  const [, user = '', where = ''] = /^([^@]+)@(.+)$/.exec(text) ?? [];
  const parsed = endpoint.safeParse(where);
  if (user !== '' && parsed.success) return { ...parsed.data, user };
  context.addIssue(`'${text}' is not a login: use sealift-in@203.0.113.7:22`);
  return z.NEVER;
});

/** The three options that name an SSH server for `staged`, as fields of a command's options. */
export const sshOptions = {
  ssh: login.optional(),
  sshFolder: containerServer.shape.folder.optional(),
  /** What stands behind type and key in the file is a comment. */
  sshHostKey: z
    .string()
    .transform((line) => line.trim().split(/\s+/).slice(0, 2).join(' '))
    .pipe(containerServer.shape.host_key)
    .optional(),
};

/** The three options that name a dom0 beside the machine. */
export const dom0Options = {
  dom0: login.optional(),
  dom0HostKey: sshOptions.sshHostKey,
  dom0Key: z
    .string()
    .transform((path) => resolve(path))
    .optional(),
};

/** Adds those to a command. */
export function addDom0Options(command: Command): Command {
  return command
    .option('--dom0 <user@host:port>', 'the dom0 is another machine, which the worker enters by SSH')
    .option('--dom0-host-key <key>', 'its public host key: the first two words of ssh_host_ed25519_key.pub')
    .option('--dom0-key <file>', 'the private key to log in with, without a passphrase');
}

/** What they say together; undefined without any. Throws `bad-usage` for some of them. */
export function dom0Of(given: {
  dom0?: Pick<ContainerServer, 'address' | 'port' | 'user'> | undefined;
  dom0HostKey?: string | undefined;
  dom0Key?: string | undefined;
}): Partial<HostFile['dom0']> | undefined {
  const { dom0, dom0HostKey, dom0Key } = given;
  if (dom0 !== undefined && dom0HostKey !== undefined && dom0Key !== undefined) {
    return { access: 'ssh', ...dom0, host_key: dom0HostKey, private_key: dom0Key };
  }
  if (dom0 === undefined && dom0HostKey === undefined && dom0Key === undefined) return undefined;
  throw new SealiftError('bad-usage', '--dom0, --dom0-host-key and --dom0-key are given together');
}

/** Adds the options to a command; `whose` stands in their descriptions. */
export function addSshOptions(command: Command, whose: string): Command {
  return command
    .option('--ssh <user@host:port>', `for --method staged: the SSH server of ${whose} and its user for containers`)
    .option('--ssh-folder <folder>', 'the folder that it takes them in')
    .option('--ssh-host-key <key>', 'its public host key: the first two words of ssh_host_ed25519_key.pub');
}

/** What the options say together; undefined without any. Throws `bad-usage` for some of them. */
export function serverOf(given: {
  ssh?: Pick<ContainerServer, 'address' | 'port' | 'user'> | undefined;
  sshFolder?: string | undefined;
  sshHostKey?: string | undefined;
}): ContainerServer | undefined {
  const { ssh, sshFolder, sshHostKey } = given;
  if (ssh !== undefined && sshFolder !== undefined && sshHostKey !== undefined) {
    return { ...ssh, folder: sshFolder, host_key: sshHostKey };
  }
  if (ssh === undefined && sshFolder === undefined && sshHostKey === undefined) return undefined;
  throw new SealiftError('bad-usage', '--ssh, --ssh-folder and --ssh-host-key are given together');
}

/** The options that say the same, for a line that a person copies. */
export function sshArguments({ address, port, user, folder, host_key }: ContainerServer): string {
  const where = address.includes(':') ? `[${address}]` : address;
  const word = /^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
  return `--ssh ${user}@${where}:${String(port)} --ssh-folder ${word} --ssh-host-key '${host_key}'`;
}
