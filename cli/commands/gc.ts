import type { Command } from 'commander';
import { z } from 'zod';
import type { GarbageItem, Sealift } from '../../client/index.ts';
import { SealiftError } from '../../domain/error.ts';
import { hostName } from '../../domain/names.ts';
import { agree } from '../ask.ts';
import type { Cli } from '../cli.ts';
import { exitCodes } from '../exit-codes.ts';
import { formatBytes, formatTable } from '../format.ts';
import { plural } from '../live/words.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({
  host: hostName.optional(),
  remove: z.array(z.string().min(1)).optional(),
  all: z.boolean().default(false),
  yes: z.boolean().default(false),
});

type Found = GarbageItem & { host: string };

export function addGc(program: Command, cli: Cli): void {
  program
    .command('gc')
    .description(
      'list what hosts keep and no longer need: released copies, abandoned landings, containers, images of memory; remove it when asked to',
    )
    .option('--host <host>', 'only on this host')
    .option('--remove <id...>', 'remove these, by their ids in the list, on every host that lists them')
    .option('--all', 'remove all that is listed')
    .option('--yes', 'do not ask before removing')
    .addHelpText(
      'after',
      examples(
        'sealift gc',
        'sealift gc --remove 4f0c2a91-8d4e-4a2b-9a53-0b7f6f0f7a01',
        'sealift gc --host lon-1 --all --yes',
      ),
    )
    .action(async (raw: unknown) => {
      const { host, remove, all, yes } = parseOptions(options, raw);
      if (all && remove !== undefined) throw new SealiftError('bad-usage', '--all and --remove exclude each other');
      const sealift = await cli.connect();
      const { found, away } = await lookFor(sealift, host);
      if (!all && remove === undefined) return sayFound(cli, found, away);
      const chosen = all ? found : choose(found, remove ?? []);
      await removeAll(cli, sealift, chosen, away, yes);
    });
}

/** What all hosts list, or one; a host that does not answer is named, and fails the command only when it was asked for alone. */
async function lookFor(sealift: Sealift, host: string | undefined): Promise<{ found: Found[]; away: string[] }> {
  if (host !== undefined) return { found: await listed(sealift, host), away: [] };
  const hosts = await sealift.hosts();
  const here = hosts.filter((one) => !one.away).map((one) => one.name);
  const found = await Promise.all(here.map((name) => listed(sealift, name)));
  return { found: found.flat(), away: hosts.filter((one) => one.away).map((one) => one.name) };
}

async function listed(sealift: Sealift, host: string): Promise<Found[]> {
  return (await sealift.garbage(host)).map((item) => ({ host, ...item }));
}

function sayFound(cli: Cli, found: Found[], away: string[]): void {
  const rows = found.map((one) => [one.host, one.id, one.kind, one.vmName, formatBytes(one.bytes), one.note]);
  const table = formatTable(['HOST', 'ID', 'WHAT', 'VM', 'SIZE', 'NOTE'], rows);
  cli.answer({ garbage: found, away }, found.length === 0 ? ['nothing to remove'] : table);
  sayAway(cli, away);
}

function sayAway(cli: Cli, away: string[]): void {
  for (const name of away) cli.note(`${name} is away: what it keeps is unknown`);
}

/** An id names one migration's leavings: both hosts may have some. */
function choose(found: Found[], ids: string[]): Found[] {
  const unknown = ids.find((id) => !found.some((one) => one.id === id));
  if (unknown === undefined) return found.filter((one) => ids.includes(one.id));
  throw new SealiftError('bad-usage', `nothing with the id ${unknown} may be removed`, {
    hint: 'sealift gc lists what may be',
  });
}

async function removeAll(cli: Cli, sealift: Sealift, chosen: Found[], away: string[], yes: boolean): Promise<void> {
  const bytes = chosen.reduce((sum, one) => sum + one.bytes, 0);
  if (chosen.length > 0) {
    for (const one of chosen)
      cli.note(`  ${one.host}  ${one.kind} of ${one.vmName}, ${formatBytes(one.bytes)}: ${one.note}`);
    if (!(await agree(cli, `remove ${plural(chosen.length, 'thing')}, ${formatBytes(bytes)}, for ever?`, yes))) return;
  }
  const removed: Found[] = [];
  const refused: { host: string; id: string; why: string }[] = [];
  for (const host of new Set(chosen.map((one) => one.host))) {
    const ids = chosen.filter((one) => one.host === host).map((one) => one.id);
    const gone = await sealift.removeGarbage({ host, ids, by: cli.user });
    removed.push(...gone.removed.map((item) => ({ host, ...item })));
    refused.push(...gone.refused.map((item) => ({ host, ...item })));
  }
  const kept = refused.map((one) => `kept on ${one.host}: ${one.id}: ${one.why}`);
  cli.answer({ removed, refused, away }, [`removed ${plural(removed.length, 'thing')}`, ...kept]);
  sayAway(cli, away);
  if (refused.length > 0) cli.exitCode = exitCodes.failed;
}
