import { Option } from 'commander';
import type { Command } from 'commander';
import { z } from 'zod';
import { migrationInput } from '../../domain/migration.ts';
import { vmArgument } from '../arguments.ts';
import { typedName } from '../ask.ts';
import type { Cli } from '../cli.ts';
import { formatMoment } from '../format.ts';
import { follow } from '../live/follow.ts';
import { duration, parseOptions } from '../parse.ts';
import { sayEnd } from '../print/end.ts';
import { examples } from './examples.ts';

const onStuckGuest = migrationInput.shape.onStuckGuest.unwrap();
const options = z.object({
  confirm: z.string().optional(),
  grace: duration.optional(),
  onStuckGuest: onStuckGuest.optional(),
  stay: z.boolean().default(false),
  detach: z.boolean().default(false),
});

export function addRevert(program: Command, cli: Cli): void {
  program
    .command('revert')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('bring a moved VM back to the host it came from, with its disks as they were then')
    .option('--confirm <name>', "the VM's name, instead of typing it when asked")
    .option('--grace <time>', 'how long the guest may take to shut down: 90s, 5m (default: 2m)')
    .addOption(
      new Option('--on-stuck-guest <policy>', 'when it does not shut down in its time (default: wait)').choices(
        onStuckGuest.options,
      ),
    )
    .option('--detach', 'start it and come back')
    .option('--stay', 'without a terminal: go on watching while it waits for a person, instead of exit 4')
    .addHelpText('after', examples('sealift revert web-1', 'sealift revert web-1 --confirm web-1'))
    .action(async (vm: string, raw: unknown) => {
      const { confirm, grace, onStuckGuest, stay, detach } = parseOptions(options, raw);
      const sealift = await cli.connect();
      const plan = await sealift.planRevert(vm);
      cli.note(`${plan.vmName} goes back from ${plan.from} to ${plan.to}`);
      if (plan.writesSince !== null) {
        cli.note(`what it wrote since ${formatMoment(plan.writesSince)} stays behind, on the disks at ${plan.from}`);
      }
      const name = await typedName(cli, 'type the name of the VM:', confirm);
      const task = await sealift.revert({
        vm: plan.vmUuid,
        confirm: name,
        ...(grace !== undefined && { graceMs: grace }),
        ...(onStuckGuest !== undefined && { onStuckGuest }),
      });
      if (detach) {
        cli.answer({ event: 'started', workflowId: task.workflowId, vmUuid: task.vmUuid }, [
          `sealift watch ${vm} follows it`,
        ]);
        return;
      }
      if (cli.json) cli.event({ event: 'started', workflowId: task.workflowId, vmUuid: task.vmUuid });
      const ending = await follow(cli, task, { stay });
      if (ending.how === 'closed') sayEnd(cli, 'revert', ending.result);
    });
}
