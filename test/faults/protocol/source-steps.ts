import { enabled } from '../../deed/model/guards.ts';
import { by, ifEnabled } from './step.ts';
import type { Step } from './step.ts';
import type { Walk } from './walk.ts';

/** The other hosts were asked before; or were away, and the operator names them to be passed over, or does not. */
export function adopt(walk: Walk, h: number, others: 'asked' | 'passed over' | 'away' = 'asked'): Step {
  const elsewhere = walk.hosts.filter((o) => {
    const other = walk.model.hosts[o];
    return o !== h && other !== undefined && (other.token !== 0 || other.disk !== null);
  });
  const silent = others === 'asked' ? [] : walk.hosts.filter((o) => o !== h);
  const names = (hosts: number[]): string[] => hosts.map((o) => walk.name(o));
  return {
    kind: others === 'asked' ? 'adopt' : `adopt, others ${others}`,
    title: `adopt on ${walk.name(h)}, the others ${others}`,
    h,
    name: 'adoptVm',
    ask: [
      {
        vm: walk.vm.name,
        by: 'walk',
        elsewhere: others === 'asked' ? names(elsewhere) : [],
        notAsked: names(silent),
        withoutAsking: others === 'passed over' ? names(silent) : [],
      },
    ],
    changes: others === 'away' ? () => null : ifEnabled({ kind: 'adopt', h }),
  };
}

export function open(walk: Walk, h: number, to: number, supersede: boolean): Step {
  const migrationId = walk.newId();
  const { name, uuid } = walk.vm;
  const openRun = walk.said.runs.findLast(({ from, token }) => from === h && token === walk.model.hosts[h]?.run);
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
      if (now.said.runs.some((run) => run.migrationId === migrationId)) return null;
      // It names the run that it takes the place of.
      const mayVoid = supersede && openRun?.token === now.model.hosts[h]?.run;
      const action = { kind: 'open', h, to, supersede: mayVoid } as const;
      return ifEnabled(action)(now);
    },
  };
}

export function send(walk: Walk, said: number): Step {
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
      if (now.isDown(to)) return null;
      if (!now.isPrepared(said)) return null;
      if (destination?.state !== 'receiving' || destination.token !== token || destination.made === token) return null;
      return [by(read)];
    },
  };
}

export function cede(walk: Walk, h: number, said: number): Step {
  const token = walk.said.ready[said]?.body.token ?? 0;
  const offer = walk.said.runs.findIndex((run) => run.token === token && run.from === h);
  return {
    kind: 'cede',
    title: walk.titled('cede', h, Math.max(0, offer)),
    h,
    name: 'cede',
    ask: [{ migrationId: walk.said.runs[offer]?.migrationId ?? walk.newId(), ready: walk.said.ready[said] }],
    changes: (now) => (offer === -1 ? null : ifEnabled({ kind: 'cede', h, said, offer })(now)),
  };
}

export function takeBack(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'take back',
    title: `take back by token ${String(walk.said.deeds[said]?.body.token)} on ${walk.name(h)}`,
    h,
    name: 'takeBack',
    ask: [{ deed: walk.said.deeds[said] }],
    changes: ifEnabled({ kind: 'takeBack', h, said }),
  };
}

export function finish(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'finish',
    title: `finish on ${walk.name(h)} by token ${String(walk.said.settled[said]?.body.token)}`,
    h,
    name: 'finishHold',
    ask: [{ settled: walk.said.settled[said], by: 'walk' }],
    changes: ifEnabled({ kind: 'release', h, said }),
  };
}

export function collect(walk: Walk, h: number, said: number): Step {
  const token = walk.said.deeds[said]?.body.token;
  const run = walk.said.runs.find((one) => one.token === token && one.from === h);
  return {
    kind: 'collect',
    title: `collect the copy of token ${String(token)} on ${walk.name(h)}`,
    h,
    name: 'removeGarbage',
    ask: [{ ids: [run?.migrationId ?? walk.newId()], givenUp: [], by: 'walk' }],
    changes: (now) => {
      if (run === undefined || !now.hasCopy(h, run.migrationId)) return null;
      // a removal that was cut short goes on
      return now.hasCollected(h, run.migrationId) ? [] : ifEnabled({ kind: 'collect', h, said })(now);
    },
  };
}
