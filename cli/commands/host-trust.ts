import { open, rename } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { SealiftError } from '../../domain/error.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import { hostName, identity } from '../../domain/names.ts';
import type { Cli } from '../cli.ts';
import { defaultHostFile, readHostFile } from '../host-file.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({ file: z.string().default(defaultHostFile), replace: z.boolean().default(false) });

export function addHostTrust(host: Command, cli: Cli): void {
  host
    .command('trust')
    .argument('<name>', "the other host's name")
    .argument('<identity>', 'its identity, as `sealift host show` prints it there')
    .description('trust another host by its identity, which must come by a way that you trust')
    .option('--file <path>', `this host's file (default: ${defaultHostFile})`)
    .option('--replace', 'the other host has a new identity')
    .addHelpText('after', examples('sealift host trust fra-1 ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'))
    .action(async (peer: string, key: string, raw: unknown) => {
      const { file, replace } = parseOptions(options, raw);
      const name = parseOptions(hostName, peer);
      const trusted = parseOptions(identity, key);
      const changed = await trust(file, name, trusted, replace);
      const said = changed ? `${name} is trusted; restart this host's worker` : `${name} was trusted already`;
      cli.answer({ name, identity: trusted, changed }, [said]);
    });
}

/** Adds the peer to the host's file, which keeps its comments. Gives whether anything changed. */
async function trust(path: string, name: string, key: string, replace: boolean): Promise<boolean> {
  const text = await readHostFile(path);
  const known = parseHostFile(text, path).peer.find((one) => one.name === name);
  if (known?.identity === key) return false;
  if (known !== undefined && !replace) {
    throw new SealiftError('bad-usage', `${name} is trusted with another identity: ${known.identity}`, {
      hint: 'if it truly has a new one, add --replace',
    });
  }
  const changed =
    known === undefined
      ? `${text.trimEnd()}\n\n[[peer]]\nname = "${name}"\nidentity = "${key}"\n`
      : text.replaceAll(known.identity, key);
  // What was edited as text is read as a whole before it takes the old file's place.
  if (!parseHostFile(changed, path).peer.some((one) => one.name === name && one.identity === key)) {
    throw new SealiftError('bad-config', `${path} cannot be changed by this command; add the peer by hand`);
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
