import type { Command } from 'commander';
import { z } from 'zod';
import { loadIdentity } from '../../deed/identity.ts';
import { reason as reasonText } from '../../domain/statement.ts';
import { vmArgument } from '../arguments.ts';
import { typedName } from '../ask.ts';
import { atHost } from '../at-host.ts';
import type { Cli } from '../cli.ts';
import { readPeers } from '../deed-files.ts';
import { defaultHostFile } from '../host-file.ts';
import { defaultOperatorFolder } from '../operator-key.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({
  file: z.string().default(defaultHostFile),
  peer: z.array(z.string()).default([]),
  key: z.string().optional(),
  reason: reasonText,
  confirm: z.string().optional(),
  start: z.boolean().default(true),
});

export function addDeedClaim(deed: Command, cli: Cli): void {
  deed
    .command('claim')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description(
      'override: claim a VM for this host because the other one is gone for good. You answer for that: if it is not, two copies may run. On the host itself, while its worker is stopped',
    )
    .requiredOption('--reason <text>', 'why; kept by the hosts for ever')
    .option(
      '--key <folder>',
      'the folder of your key, as of sealift operator init (default: ~/.config/sealift/operator)',
    )
    .option('--confirm <name>', "the VM's name, instead of typing it when asked")
    .option(
      '--peer <files...>',
      'what other hosts say (sealift deed show --json): refuses the claim where one of them has the VM; the ground where this host has lost its own records',
    )
    .option('--no-start', 'do not start it')
    .option('--file <path>', `this host's file (default: ${defaultHostFile})`)
    .addHelpText('after', examples('sealift deed claim web-1 --reason "lon-1 burned down, 2026-11-23"'))
    .action(async (vm: string, raw: unknown) => {
      const { file, peer, key, reason, confirm, start } = parseOptions(options, raw);
      const operator = await loadIdentity(key ?? defaultOperatorFolder(cli.io.env), 'operator');
      const peers = await readPeers(peer);
      await atHost(cli, { file, vm }, async (host) => {
        const { makeClaim, planClaim } = await import('../../activities/claims.ts');
        const { nameOf } = await import('../../activities/host.ts');
        const plan = planClaim(host, { vm, reason, operator, peers });
        const { vmName, token } = plan.body;
        const lost = nameOf(host, plan.body.against);
        cli.note(`${vmName} becomes ${host.file.name}'s by your word, token ${token}, for ever in its log`);
        cli.note(
          `you answer for it that ${lost} is off and stays off, or has heeded this before ${vmName} starts there`,
        );
        const name = await typedName(cli, 'type the name of the VM:', confirm);
        await makeClaim(host, plan, { operator, confirm: name, start });
        return [
          `${vmName} belongs to ${host.file.name} by a claim of ${plan.by.name}${start ? ' and runs there' : ''}`,
          `  if ${lost} ever comes back: keep it off the VM until it has heeded: docs/operations.md`,
        ];
      });
    });
}
