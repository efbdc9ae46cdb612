import { open, rename } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import { z } from 'zod';
import { SealiftError } from '../../domain/error.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import type { ContainerServer, HostFile } from '../../domain/host-file.ts';
import { hostName, identity } from '../../domain/names.ts';
import type { Cli } from '../cli.ts';
import { defaultHostFile, readHostFile } from '../host-file.ts';
import { parseOptions } from '../parse.ts';
import { addSshOptions, serverOf, sshOptions } from '../ssh-options.ts';
import { examples } from './examples.ts';

const options = z.object({
  file: z.string().default(defaultHostFile),
  replace: z.boolean().default(false),
  ...sshOptions,
});

export function addHostTrust(host: Command, cli: Cli): void {
  const command = host
    .command('trust')
    .argument('<name>', "the other host's name")
    .argument('<identity>', 'its identity, as `sealift host show` prints it there')
    .description('trust another host by its identity, which must come by a way that you trust')
    .option('--file <path>', `this host's file (default: ${defaultHostFile})`)
    .option('--replace', 'the other host has a new identity, or another SSH server');
  addSshOptions(command, 'the other host')
    .addHelpText('after', examples('sealift host trust fra-1 ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'))
    .action(async (peer: string, key: string, raw: unknown) => {
      const { file, replace, ...given } = parseOptions(options, raw);
      const name = parseOptions(hostName, peer);
      const trusted = parseOptions(identity, key);
      const ssh = serverOf(given);
      const wanted = { name, identity: trusted, ...(ssh === undefined ? {} : { ssh }) };
      const changed = await trust(file, wanted, replace);
      const said = changed ? `${name} is trusted; restart this host's worker` : `${name} was trusted already`;
      cli.answer({ ...wanted, changed }, [said]);
    });
}

type Peer = HostFile['peer'][number];

/** Adds the peer to the host's file, or its SSH server to the peer; the file keeps its comments. Gives whether anything changed. */
async function trust(path: string, wanted: Peer, replace: boolean): Promise<boolean> {
  const text = await readHostFile(path);
  const known = parseHostFile(text, path).peer.find((one) => one.name === wanted.name);
  const ssh = wanted.ssh ?? known?.ssh;
  const whole = { ...wanted, ...(ssh === undefined ? {} : { ssh }) };
  if (known !== undefined && isDeepStrictEqual(known, whole)) return false;
  if (known !== undefined && !replace) refuseOther(known, wanted);
  const changed = known === undefined ? `${text.trimEnd()}\n\n[[peer]]\n${lines(whole)}\n` : edited(text, known, whole);
  // What was edited as text is read as a whole before it takes the old file's place.
  if (!parseHostFile(changed, path).peer.some((one) => isDeepStrictEqual(one, whole))) {
    throw new SealiftError('bad-config', `${path} cannot be changed by this command; write the peer by hand`);
  }
  const unfinished = `${path}.new`;
  const file = await open(unfinished, 'w', 0o644);
  try {
    await file.writeFile(changed);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  return true;
}

function refuseOther(known: Peer, wanted: Peer): void {
  const hint = 'if it truly has a new one, add --replace';
  if (known.identity !== wanted.identity) {
    throw new SealiftError('bad-usage', `${known.name} is trusted with another identity: ${known.identity}`, { hint });
  }
  if (known.ssh === undefined) return;
  const { user, address, port } = known.ssh;
  throw new SealiftError('bad-usage', `${known.name} has another SSH server: ${user}@${address}:${String(port)}`, {
    hint,
  });
}

/** The text with the peer's identity and SSH server changed where this command, or a person like it, has written them. */
function edited(text: string, known: Peer, wanted: Peer): string {
  const renamed = text.replaceAll(known.identity, wanted.identity);
  if (wanted.ssh === undefined) return renamed;
  const line = sshLine(wanted.ssh);
  if (known.ssh !== undefined) return renamed.replace(sshLine(known.ssh), () => line);
  return renamed.replace(new RegExp(`^.*"${wanted.identity}".*$`, 'm'), (own) => `${own}\n${line}`);
}

function lines({ name, identity: key, ssh }: Peer): string {
  const named = `name = "${name}"\nidentity = "${key}"`;
  return ssh === undefined ? named : `${named}\n${sshLine(ssh)}`;
}

function sshLine({ address, port, user, folder, host_key }: ContainerServer): string {
  const where = `address = ${JSON.stringify(address)}, port = ${String(port)}, user = "${user}"`;
  return `ssh = { ${where}, folder = ${JSON.stringify(folder)}, host_key = "${host_key}" }`;
}
