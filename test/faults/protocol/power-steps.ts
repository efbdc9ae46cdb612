import { enabled } from '../../deed/model/guards.ts';
import { by, does, unfenced } from './step.ts';
import type { Step } from './step.ts';
import type { Walk } from './walk.ts';

export function stop(walk: Walk, h: number, said: number): Step {
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

export function fence(walk: Walk, h: number, said: number): Step {
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

export function start(walk: Walk, h: number, said: number): Step {
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

export function abort(walk: Walk, h: number, said: number): Step {
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
