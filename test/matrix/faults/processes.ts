import { rebootLabHost, setFault } from '../../../infra/lab/lab-host.ts';
import type { FaultCommand } from '../../../infra/lab/faults.ts';
import type { TestHost } from '../../support/world.ts';
import type { Reached } from '../director.ts';
import type { Point } from '../points.ts';
import type { Run } from '../run.ts';
import type { Fault } from './fault.ts';
import { willMeetOnHosts } from './guests.ts';

const commands: FaultCommand[] = ['list', 'create', 'unpause', 'shutdown', 'destroy'];

const jumpMs = 600_000;

/** Processes that die, machines that lose power, an `xl` that lies. */
export const processFaults: Fault[] = [
  { name: 'source worker killed', passes: true, strike: ({ stage, source }) => restart(source, stage) },
  { name: 'destination worker killed', passes: true, strike: ({ stage, destination }) => restart(destination, stage) },
  {
    name: 'both workers killed',
    slow: true,
    strike: async ({ stage, source, destination }) => {
      await Promise.all([restart(source, stage), restart(destination, stage)]);
    },
  },
  {
    name: 'source worker dies some steps later',
    strike: (run) => wearOut(run, run.source),
    at: ({ name }) => !/probe|receipt|after (adopt|start|revert start|finish|gc)/.test(name),
  },
  {
    name: 'destination worker dies some steps later',
    strike: (run) => wearOut(run, run.destination),
    at: ({ stage, name }) =>
      stage === 'move'
        ? !/probe|receipt|after start/.test(name)
        : /before (give back|settle)|revert( stop| fence)?$/.test(name),
  },
  {
    name: 'control worker killed',
    slow: true,
    strike: async ({ stage: { world } }) => {
      await world.killControl();
      await world.startControl();
    },
  },
  {
    name: 'Temporal killed',
    passes: true,
    strike: async ({ stage: { world } }) => {
      await world.killTemporal();
      await world.startTemporal();
    },
  },
  { name: 'source host reboots', strike: ({ stage, source }) => reboot(stage, source) },
  { name: 'destination host reboots', passes: true, strike: ({ stage, destination }) => reboot(stage, destination) },
  {
    name: 'both hosts reboot',
    slow: true,
    strike: async ({ stage, source, destination }) => {
      await Promise.all([reboot(stage, source), reboot(stage, destination)]);
    },
  },
  { name: 'xl killed in the middle', strike: (run, at) => lie(run, at, 'killInMiddle'), at: isToChange },
  { name: 'xl fails after success', strike: (run, at) => lie(run, at, 'failAfterSuccess'), at: isToChange },
  { name: 'xl succeeds without doing', strike: (run, at) => lie(run, at, 'succeedWithoutDoing'), at: isToChange },
  {
    name: "control worker's clock is ten minutes off",
    strike: ({ stage, random }) => stage.restartControl(random.one([-1, 1]) * jumpMs),
  },
  {
    name: 'clocks jump ten minutes',
    passes: true,
    strike: async ({ stage, random }) => {
      stage.director.clockMs = random.one([-1, 1]) * jumpMs;
    },
  },
];

/** Between two transactions, two steps of a fence, or with an `xl` under way that becomes an orphan. */
async function wearOut({ stage, random, laid }: Run, at: TestHost): Promise<void> {
  // Mostly few: near the end there are no more.
  laid.push(await stage.director.wearOut(at.host.name, 1 + random.below(1 + random.below(24))));
  stage.superviseOnce(at);
}

async function restart(at: TestHost, { world }: Run['stage']): Promise<void> {
  await world.killWorker(at);
  await world.startWorker(at);
}

/** The machine loses power: its worker, its `xl` and its domains die; xendomains starts what it starts, then the worker is back. */
async function reboot({ world }: Run['stage'], at: TestHost): Promise<void> {
  await world.killWorker(at);
  await rebootLabHost(at.host.lab.root);
  await world.startWorker(at);
}

/** Until the VM runs where it is to run: after that nothing is asked of `xl` but what there is. */
function isToChange({ name }: Point): boolean {
  return !/after (adopt|(revert )?start)|probe|receipt|finish|settle|gc/.test(name);
}

/** The next commands about the VM on both hosts, one of each that changes something or, now and then, a question too: an adoption asks only. */
function lie(run: Run, at: Reached, how: 'killInMiddle' | 'failAfterSuccess' | 'succeedWithoutDoing'): void {
  const { stage, suspect, random } = run;
  willMeetOnHosts(run);
  const chosen = at.name === 'adoptVm' || random.below(3) === 0 ? commands : commands.slice(1);
  for (const { host } of stage.world.up.hosts)
    for (const command of chosen) {
      const about = command === 'list' ? {} : { vm: suspect.vm.name };
      setFault(host.lab.root, { [how]: command, ...about, times: 1 });
    }
}
