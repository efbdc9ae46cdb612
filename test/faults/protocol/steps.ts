import type { HostActivities } from '../../../activities/port.ts';
import { apply, enabled } from '../../deed/model.ts';
import type { Action, Model } from '../../deed/model.ts';
import type { Walk } from './walk.ts';

/** One change of the model; a step makes some of them, one after the other. */
export type Change = (model: Model) => void;

/** What a host is asked for. It may be asked for at any moment, and again. */
export interface Step {
  kind: string;
  title: string;
  h: number;
  name: keyof HostActivities;
  ask: unknown[];
  /** What it does to the VM now, by the model, in this order; null when it may do nothing, whatever it answers. */
  changes: (walk: Walk) => Change[] | null;
}

/** Every step that the model lets do something now, at any host, by any run and any statement ever signed. */
export function possibleSteps(walk: Walk): Step[] {
  const steps = [
    ...walk.hosts.flatMap((h) => hostSteps(walk, h)),
    ...walk.runs.flatMap((_, said) => walk.hosts.flatMap((h) => runSteps(walk, h, said))),
  ];
  return steps.filter((step) => (step.changes(walk)?.length ?? 0) > 0);
}

/** Steps that bring the VM nearer to its next host. */
export function onwardSteps(walk: Walk): Step[] {
  const { hosts } = walk.model;
  return possibleSteps(walk).filter(({ kind, h }) => {
    if (kind === 'open') return hosts[h]?.run === 0;
    // A guest is stopped for what it is stopped for; a fence that stands is not put on again.
    if (kind === 'fence') return hosts[h]?.noted !== hosts[h]?.run;
    return !['abort', 'supersede', 'settle'].includes(kind);
  });
}

function hostSteps(walk: Walk, h: number): Step[] {
  const steps: Step[] = [];
  for (const to of walk.hosts) {
    if (to === h) continue;
    steps.push(open(walk, h, to, false), open(walk, h, to, true), settle(walk, h, to));
  }
  for (const [said, deed] of walk.deeds.entries()) {
    steps.push(accept(walk, h, said), takeBack(walk, h, said), back(walk, h, said));
    if (deed.body.from === walk.identity(h)) steps.push(collect(walk, h, said));
  }
  for (const said of walk.settled.keys()) steps.push(finish(walk, h, said));
  for (const said of walk.ready.keys()) steps.push(cede(walk, h, said));
  return steps;
}

function runSteps(walk: Walk, h: number, said: number): Step[] {
  const { from, to } = walk.run(said);
  if (h !== from && h !== to) return [];
  const both = [stop(walk, h, said), fence(walk, h, said), start(walk, h, said), abort(walk, h, said)];
  if (h === from) return [...both, send(walk, said)];
  return [...both, receive(walk, said), makeReady(walk, said), giveBack(walk, h, said)];
}

/** What an action of the model changes, when it is permitted now. */
function ifEnabled(action: Action): Step['changes'] {
  return ({ model }) => (enabled(model, action) ? [by(action)] : null);
}

function by(action: Action): Change {
  return (model) => {
    if (enabled(model, action)) apply(model, action);
  };
}

function open(walk: Walk, h: number, to: number, supersede: boolean): Step {
  const migrationId = walk.newId();
  const { name, uuid } = walk.vm;
  const openRun = walk.runs.findLast(({ from, token }) => from === h && token === walk.model.hosts[h]?.run);
  return {
    kind: supersede ? 'supersede' : 'open',
    title: `open a run from ${walk.name(h)} to ${walk.name(to)}`,
    h,
    name: 'openRun',
    ask: [
      {
        input: { migrationId, vmUuid: uuid, vmName: name, method: 'sealed' },
        to: walk.name(to),
        ...(supersede && openRun !== undefined ? { supersede: openRun.migrationId } : {}),
      },
    ],
    changes: (now) => {
      if (supersede && openRun === undefined) return null;
      if (now.runs.some((run) => run.migrationId === migrationId)) return null;
      // A VM that has arrived is set up before it goes on: its configuration is in no dom0 before.
      if (now.hasArrived(h)) return null;
      // It names the run that it takes the place of.
      const mayVoid = supersede && openRun?.token === now.model.hosts[h]?.run;
      const action = { kind: 'open', h, to, supersede: mayVoid } as const;
      return ifEnabled(action)(now);
    },
  };
}

function receive(walk: Walk, said: number): Step {
  const { from, to } = walk.run(said);
  const disks = [{ vdev: 'xvda', sizeBytes: walk.vm.diskBytes, sectorBytes: 512 }];
  const placement = [{ vdev: 'xvda', pool: 'fast' }];
  return {
    kind: 'receive',
    title: walk.titled('receive', to, said),
    h: to,
    name: 'receiveRun',
    ask: [{ offer: walk.offers[said], placement, disks, from: walk.name(from) }],
    changes: ifEnabled({ kind: 'receive', h: to, said }),
  };
}

function stop(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'stop',
    title: walk.titled('stop', h, said),
    h,
    name: 'stopVm',
    ask: [{ migrationId: walk.run(said).migrationId, graceMs: 10_000 }],
    changes: ({ model }) => {
      // The guard of a stop is that of an abort: the run is open.
      if (!enabled(model, { kind: 'abort', h, said })) return null;
      return model.hosts[h]?.running === true ? [by({ kind: 'die', h })] : [];
    },
  };
}

function fence(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'fence',
    title: walk.titled('fence', h, said),
    h,
    name: 'fenceVm',
    ask: [{ migrationId: walk.run(said).migrationId }],
    changes: ({ model }) => {
      const action = { kind: 'fence', h, said } as const;
      if (!enabled(model, action)) return null;
      return [
        // One that does not stand is forgotten first, with what was read under it.
        (now) => {
          const host = now.hosts[h];
          if (host !== undefined && (!host.fenced || host.noted !== host.run))
            Object.assign(host, { noted: 0, seen: null });
        },
        by(action),
      ];
    },
  };
}

function send(walk: Walk, said: number): Step {
  const { from, to, migrationId, token } = walk.run(said);
  return {
    kind: 'send',
    title: walk.titled('send', from, said),
    h: from,
    name: 'sendDisks',
    ask: [{ migrationId, key: walk.keyOf(said), destination: walk.card(to), streams: 2 }],
    changes: (now) => {
      const { model } = now;
      const [source, destination] = [model.hosts[from], model.hosts[to]];
      const read = { kind: 'read', h: from, said } as const;
      if (source?.token !== token || !enabled(model, read)) return null;
      if (source.seen !== null) return [];
      if (!now.isPrepared(said)) return null;
      if (destination?.state !== 'receiving' || destination.token !== token || destination.made === token) return null;
      return [by(read)];
    },
  };
}

function makeReady(walk: Walk, said: number): Step {
  const { from, to, migrationId, token } = walk.run(said);
  return {
    kind: 'ready',
    title: walk.titled('read back', to, said),
    h: to,
    name: 'makeReady',
    ask: [{ migrationId }],
    changes: (now) => {
      const action = { kind: 'ready', h: to, said } as const;
      const source = now.model.hosts[from];
      // What a landing holds is what its source had under the fence: before that there is nothing to read back.
      if (!enabled(now.model, action) || !now.isPrepared(said)) return null;
      if (source?.token !== token || source.noted !== token) return null;
      return [
        (model) => {
          const landing = model.hosts[to];
          if (landing !== undefined) landing.disk = source.disk;
          by(action)(model);
        },
      ];
    },
  };
}

function cede(walk: Walk, h: number, said: number): Step {
  const token = walk.ready[said]?.body.token ?? 0;
  const offer = walk.runs.findIndex((run) => run.token === token && run.from === h);
  return {
    kind: 'cede',
    title: walk.titled('cede', h, Math.max(0, offer)),
    h,
    name: 'cede',
    ask: [{ migrationId: walk.runs[offer]?.migrationId ?? walk.newId(), ready: walk.ready[said] }],
    changes: (now) => (offer === -1 ? null : ifEnabled({ kind: 'cede', h, said, offer })(now)),
  };
}

function accept(walk: Walk, h: number, said: number): Step {
  const token = walk.deeds[said]?.body.token;
  const run = walk.runs.find((one) => one.token === token);
  return {
    kind: 'accept',
    title: `accept the deed of token ${String(token)} on ${walk.name(h)}`,
    h,
    name: 'acceptDeed',
    ask: [{ migrationId: run?.migrationId ?? walk.newId(), deed: walk.deeds[said] }],
    changes: ifEnabled({ kind: 'accept', h, said }),
  };
}

function start(walk: Walk, h: number, said: number): Step {
  const { migrationId } = walk.run(said);
  return {
    kind: 'start',
    title: walk.titled('start', h, said),
    h,
    name: 'startVm',
    ask: [{ migrationId, start: true }],
    changes: (now) =>
      now.isCurrent(h, said) ? [...unfenced(h), by({ kind: 'start', h })].filter(does(now.model)) : null,
  };
}

function abort(walk: Walk, h: number, said: number): Step {
  const { migrationId } = walk.run(said);
  return {
    kind: 'abort',
    title: walk.titled('abort', h, said),
    h,
    name: 'abortRun',
    ask: [{ migrationId }],
    changes: (now) => {
      const action = { kind: 'abort', h, said } as const;
      if (!enabled(now.model, action) && !now.isCurrent(h, said)) return null;
      // It leaves the VM in the state in which it was found.
      const restart = now.wasRunning(h) ? [by({ kind: 'start', h })] : [];
      const holds = now.model.hosts[h]?.state === 'holder';
      return [by(action), ...(holds ? [...unfenced(h), ...restart] : [])];
    },
  };
}

function unfenced(h: number): Change[] {
  return [
    (model) => {
      by({ kind: 'unfence', h })(model);
      by({ kind: 'unfenceDone', h })(model);
    },
  ];
}

function does(model: Model): (change: Change) => boolean {
  const now = structuredClone(model);
  return (change) => {
    const before = JSON.stringify(now);
    change(now);
    return JSON.stringify(now) !== before;
  };
}

function back(walk: Walk, h: number, said: number): Step {
  const deed = walk.deeds[said];
  const from = walk.hosts.find((one) => walk.identity(one) === deed?.body.from) ?? h;
  return {
    kind: 'back',
    title: `begin the return of token ${String(deed?.body.token)} on ${walk.name(h)}`,
    h,
    name: 'beginReturn',
    ask: [{ vmUuid: walk.vm.uuid, to: walk.name(from), deed }],
    changes: ({ model }) => {
      const host = model.hosts[h];
      const fits = deed?.body.to === walk.identity(h) && deed.body.token === host?.token && host.peer === from;
      return fits ? ifEnabled({ kind: 'beginReturn', h })(walk) : null;
    },
  };
}

function giveBack(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'give back',
    title: walk.titled('give back', h, said),
    h,
    name: 'giveBack',
    ask: [{ migrationId: walk.run(said).migrationId }],
    changes: ifEnabled({ kind: 'giveBack', h, said }),
  };
}

function takeBack(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'take back',
    title: `take back by token ${String(walk.deeds[said]?.body.token)} on ${walk.name(h)}`,
    h,
    name: 'takeBack',
    ask: [{ deed: walk.deeds[said] }],
    changes: ifEnabled({ kind: 'takeBack', h, said }),
  };
}

function settle(walk: Walk, h: number, to: number): Step {
  return {
    kind: 'settle',
    title: `settle on ${walk.name(h)} what came from ${walk.name(to)}`,
    h,
    name: 'settleHold',
    ask: [{ vmUuid: walk.vm.uuid, to: walk.name(to), by: 'walk' }],
    changes: ifEnabled({ kind: 'settle', h, to }),
  };
}

function finish(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'finish',
    title: `finish on ${walk.name(h)} by token ${String(walk.settled[said]?.body.token)}`,
    h,
    name: 'finishHold',
    ask: [{ settled: walk.settled[said], by: 'walk' }],
    changes: ifEnabled({ kind: 'release', h, said }),
  };
}

function collect(walk: Walk, h: number, said: number): Step {
  const token = walk.deeds[said]?.body.token;
  const run = walk.runs.find((one) => one.token === token && one.from === h);
  return {
    kind: 'collect',
    title: `collect the copy of token ${String(token)} on ${walk.name(h)}`,
    h,
    name: 'removeGarbage',
    ask: [{ ids: [run?.migrationId ?? walk.newId()], givenUp: [], by: 'walk' }],
    changes: (now) => (run === undefined ? null : ifEnabled({ kind: 'collect', h, said })(now)),
  };
}
