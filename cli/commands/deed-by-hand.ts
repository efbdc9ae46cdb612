import type { Command } from 'commander';
import { z } from 'zod';
import { vmArgument } from '../arguments.ts';
import { atHost } from '../at-host.ts';
import type { Cli } from '../cli.ts';
import { readPeers } from '../deed-files.ts';
import { defaultHostFile } from '../host-file.ts';
import { duration, parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const here = { file: z.string().default(defaultHostFile) };
const shown = { peer: z.array(z.string()).default([]) };
const aborting = z.object(here);
const givingBack = z.object({ ...here, ...shown, grace: duration.default(120_000) });
const taking = z.object({ ...here, ...shown, start: z.boolean().default(true) });
const heeding = z.object({ ...here, peer: z.array(z.string()).min(1) });

export function addDeedAbort(deed: Command, cli: Cli): void {
  byHand(deed, 'abort', 'leave a VM on this host: end the run, or the return, that would take it away; start it again')
    .addHelpText('after', examples('sealift deed abort web-1'))
    .action(async (vm: string, raw: unknown) => {
      const { file } = parseOptions(aborting, raw);
      await atHost(cli, { file, vm }, async (host) => {
        const { abortByHand } = await import('../../activities/by-hand.ts');
        const { restarted } = await abortByHand(host, { vm });
        return [`${vm} stays on ${host.file.name}${restarted ? ' and was started again' : ''}`];
      });
    });
}

export function addDeedGiveBack(deed: Command, cli: Cli): void {
  byHand(deed, 'give-back', 'give a VM back to the host it came from, also when it was never accepted here')
    .option('--peer <files...>', 'what that host said, when its deed was never brought here')
    .option('--grace <time>', 'how long the guest may take to shut down: 90s, 5m (default: 2m)')
    .addHelpText('after', examples('sealift deed give-back web-1 --json > fra-1.json'))
    .action(async (vm: string, raw: unknown) => {
      const { file, peer, grace } = parseOptions(givingBack, raw);
      const statements = (await readPeers(peer)).flatMap((one) => one.statements);
      await atHost(cli, { file, vm }, async (host) => {
        const { giveBackByHand } = await import('../../activities/by-hand.ts');
        await giveBackByHand(host, { vm, shown: statements, graceMs: grace });
        return [
          `${vm} is given back; its copy stays here, fenced`,
          `  here:  sealift deed show ${vm} --file ${file} --json > ${host.file.name}.json`,
          `  there: sealift deed take ${vm} --peer ${host.file.name}.json`,
        ];
      });
    });
}

export function addDeedTake(deed: Command, cli: Cli): void {
  byHand(deed, 'take', 'take a VM that another host has signed over to this one, by a move or by a give-back')
    .option('--peer <files...>', 'what that host says: its `sealift deed show --json`')
    .option('--no-start', 'do not start it')
    .addHelpText('after', examples('sealift deed take web-1 --peer lon-1.json'))
    .action(async (vm: string, raw: unknown) => {
      const { file, peer, start } = parseOptions(taking, raw);
      const statements = (await readPeers(peer)).flatMap((one) => one.statements);
      await atHost(cli, { file, vm }, async (host) => {
        const { takeByHand } = await import('../../activities/by-hand.ts');
        await takeByHand(host, { vm, shown: statements, start });
        return [`${vm} belongs to ${host.file.name}${start ? ' and runs there' : ''}`];
      });
    });
}

export function addDeedHeed(deed: Command, cli: Cli): void {
  byHand(
    deed,
    'heed',
    'give a VM up that an operator claimed for another host; its domain here is destroyed, its copy fenced',
  )
    .requiredOption('--peer <files...>', 'what the other host says: its `sealift deed show --json`')
    .addHelpText('after', examples('sealift deed heed web-1 --peer fra-1.json'))
    .action(async (vm: string, raw: unknown) => {
      const { file, peer } = parseOptions(heeding, raw);
      const peers = await readPeers(peer);
      await atHost(cli, { file, vm }, async (host) => {
        const { heedByHand } = await import('../../activities/heed.ts');
        await heedByHand(host, { vm, shown: peers.flatMap((one) => one.statements) });
        return [`${vm} is given up by ${host.file.name}; its copy stays, fenced`];
      });
    });
}

/** A command that acts on the host it is given on, without Temporal. */
function byHand(deed: Command, name: string, description: string): Command {
  return deed
    .command(name)
    .argument('<vm>', 'name or uuid', vmArgument)
    .description(`${description}. On the host itself, while its worker is stopped`)
    .option('--file <path>', `this host's file (default: ${defaultHostFile})`);
}
