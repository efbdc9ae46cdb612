import type { Command } from 'commander';
import { z } from 'zod';
import { hostName } from '../../domain/names.ts';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { formatTable } from '../format.ts';
import { parseOptions } from '../parse.ts';
import { vmLines, vmRow } from '../print/vm.ts';
import { examples } from './examples.ts';

const where = z.object({ host: hostName.optional() });
const adoption = z.object({
  host: hostName,
  by: z.string().min(1).max(200).optional(),
  withoutAsking: z.array(hostName).default([]),
});

export function addVm(program: Command, cli: Cli): void {
  const vm = program.command('vm').description('the VMs that hosts hold: running, stopped and fenced ones');

  vm.command('list')
    .description('list the VMs of all hosts, or of one')
    .option('--host <host>', 'only on this host')
    .addHelpText('after', examples('sealift vm list', 'sealift vm list --host lon-1 --json'))
    .action(async (raw: unknown) => {
      const { host } = parseOptions(where, raw);
      const list = await (await cli.connect()).vms(host);
      const table = formatTable(['VM', 'HOST', 'STATE', 'DEED', 'DISKS', 'MEMORY', 'NOTE'], list.vms.map(vmRow));
      cli.answer(list, list.vms.length === 0 ? ['no VMs'] : table);
      for (const name of list.away) cli.note(`${name} is away: what it holds is unknown`);
    });

  vm.command('inspect')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('show all that a host knows of a VM: disks, deed, fence marks, concerns')
    .option('--host <host>', 'the host to ask (default: the one that has it)')
    .addHelpText('after', examples('sealift vm inspect web-1', 'sealift vm inspect web-1 --host lon-1'))
    .action(async (name: string, raw: unknown) => {
      const { host } = parseOptions(where, raw);
      const report = await (await cli.connect()).inspect({ vm: name, ...(host !== undefined && { host }) });
      cli.answer(report, vmLines(report));
    });

  vm.command('adopt')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('give a VM its deed record on the host where it runs; needed once before it can be moved')
    .requiredOption('--host <host>', 'the host where it is')
    .option('--by <who>', "who adopts it, for the host's log (default: you on this machine)")
    .option(
      '--without-asking <host...>',
      'adopt it although these hosts are away; you answer for it that they do not have it',
    )
    .addHelpText('after', examples('sealift vm adopt web-1 --host lon-1'))
    .action(async (name: string, raw: unknown) => {
      const { host, by, withoutAsking } = parseOptions(adoption, raw);
      const result = await (await cli.connect()).adopt({ vm: name, host, by: by ?? cli.user, withoutAsking });
      cli.answer(result, [`${name} is adopted on ${host} (lineage ${result.lineage})`]);
      for (const away of result.notAsked) cli.note(`${away} was away and could not be asked whether it has ${name}`);
    });
}
