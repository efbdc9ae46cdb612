import type { Command } from 'commander';
import { z } from 'zod';
import type { DeedView } from '../../client/index.ts';
import { SealiftError } from '../../domain/error.ts';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { readPeers } from '../deed-files.ts';
import { parseOptions } from '../parse.ts';
import { deedLines, explainLines } from '../print/deed.ts';
import { examples } from './examples.ts';

const options = z.object({ file: z.string().optional(), peer: z.array(z.string()).default([]) });

export function addDeedShow(deed: Command, cli: Cli): void {
  looking(deed.command('show'), "every host's record of a VM side by side, and what each permits", cli, deedLines);
}

export function addDeedExplain(deed: Command, cli: Cli): void {
  looking(deed.command('explain'), 'which steps each host permits now, and why not the others', cli, explainLines);
}

function looking(command: Command, words: string, cli: Cli, lines: (view: DeedView) => string[]): void {
  const name = command.name();
  command
    .argument('<vm>', 'name or uuid', vmArgument)
    .description(words)
    .option('--file <path>', "without Temporal: this host's own side, by its file; also while its worker runs")
    .option('--peer <files...>', "with --file: other hosts' sides, as their `sealift deed show --json` printed them")
    .addHelpText(
      'after',
      examples(
        `sealift deed ${name} web-1`,
        `sealift deed ${name} web-1 --file /etc/sealift/host.toml`,
        `sealift deed ${name} web-1 --file /etc/sealift/host.toml --peer lon-1.json`,
      ),
    )
    .action(async (vm: string, raw: unknown) => {
      const { file, peer } = parseOptions(options, raw);
      const view = file === undefined ? await askAll(cli, vm) : await lookHere(file, vm, peer);
      cli.answer(view, lines(view));
      for (const away of view.away) cli.note(`${away} is away: its side is not known; see it there by --file`);
    });
}

async function askAll(cli: Cli, vm: string): Promise<DeedView> {
  try {
    return await (await cli.connect()).deed(vm);
  } catch (error) {
    if (!(error instanceof SealiftError) || error.type !== 'temporal-away') throw error;
    throw new SealiftError(error.type, error.message, {
      hint: 'on a host itself no Temporal is needed: add --file /etc/sealift/host.toml',
      cause: error,
    });
  }
}

async function lookHere(file: string, vm: string, peer: string[]): Promise<DeedView> {
  // Loaded here: what knows the hosts' steps takes a second, and no other command needs it.
  const { closeOnlooker, openOnlooker } = await import('../../activities/host.ts');
  const { deedReport } = await import('../../activities/deed-report.ts');
  const host = await openOnlooker(file);
  try {
    const peers = (await readPeers(peer)).filter(({ identity }) => identity !== host.me);
    const report = await deedReport(host, { vm, peers });
    if (report === null) throw new SealiftError('unknown-vm', `${host.file.name} has neither record nor VM ${vm}`);
    return { reports: [report, ...peers], away: [] };
  } finally {
    closeOnlooker(host);
  }
}
