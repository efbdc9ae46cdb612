import { Command } from 'commander';
import type { Cli } from './cli.ts';
import { addAbort } from './commands/abort.ts';
import { addApprove } from './commands/approve.ts';
import { addCompletion } from './commands/completion.ts';
import { addDeed } from './commands/deed.ts';
import { addDestroy } from './commands/destroy.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExperiment } from './commands/experiment.ts';
import { addFinish } from './commands/finish.ts';
import { addGc } from './commands/gc.ts';
import { addHelp } from './commands/help.ts';
import { addHost } from './commands/host.ts';
import { addList } from './commands/list.ts';
import { addMigrate } from './commands/migrate.ts';
import { addOperator } from './commands/operator.ts';
import { addPause } from './commands/pause.ts';
import { addPlan } from './commands/plan.ts';
import { addReceipt } from './commands/receipt.ts';
import { addResume } from './commands/resume.ts';
import { addRevert } from './commands/revert.ts';
import { addSchedule } from './commands/schedule.ts';
import { addShow } from './commands/show.ts';
import { addThrottle } from './commands/throttle.ts';
import { addUp } from './commands/up.ts';
import { addVm } from './commands/vm.ts';
import { addWait } from './commands/wait.ts';
import { addWatch } from './commands/watch.ts';
import { packageVersion } from './version.ts';

/** The whole command with all its subcommands; an action sets `cli.exitCode` or throws. */
export function makeProgram(cli: Cli): Command {
  const program = new Command('sealift')
    .description('Moves Xen virtual machines between hosts, sealed: never two copies, never a lost byte.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--json', 'print one object (watch, migrate and revert: one a line) and nothing else')
    .option('--address <host:port>', "Temporal's address (else TEMPORAL_ADDRESS, else the profile)")
    .option('--namespace <name>', "Temporal's namespace (else TEMPORAL_NAMESPACE, else the profile)")
    .option('--profile <name>', "profile of Temporal's configuration file (else TEMPORAL_PROFILE)")
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.io.stdout.write(text),
      writeErr: (text) => cli.io.stderr.write(text),
      // main() prints errors, in the same form as all the others.
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(cli.io.stdout.columns ?? 100, 100),
      getErrHelpWidth: () => 100,
    })
    .addHelpText('after', '\nExamples:\n  sealift up\n  sealift migrate web-1 --to fra-1\n  sealift help migrate');
  program.hook('preAction', (_, action) => cli.configure(action.optsWithGlobals()));

  program.commandsGroup('Moving:');
  for (const add of [addPlan, addMigrate, addList, addShow, addWatch]) add(program, cli);
  program.commandsGroup('Steering a move:');
  for (const add of [addPause, addResume, addThrottle, addApprove, addWait, addDestroy, addAbort]) add(program, cli);
  program.commandsGroup('After a move:');
  for (const add of [addRevert, addFinish, addGc, addReceipt]) add(program, cli);
  program.commandsGroup('Hosts and VMs:');
  for (const add of [addHost, addVm]) add(program, cli);
  program.commandsGroup('When a host or Temporal is gone for good:');
  for (const add of [addDeed, addOperator]) add(program, cli);
  program.commandsGroup('This machine and later:');
  for (const add of [addUp, addSchedule, addDoctor, addCompletion]) add(program, cli);
  program.commandsGroup('Measuring:');
  addExperiment(program, cli);
  for (const one of [program, ...program.commands]) {
    if (one.commands.length > 0) addHelp(one);
    one.hook('preSubcommand', (_, command) => cli.enter(command.name()));
  }
  return program;
}
