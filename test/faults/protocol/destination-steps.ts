import { isGivenUp } from '../../deed/model/guards.ts';
import { by, does, ifEnabled } from './step.ts';
import type { Change, Step } from './step.ts';
import type { Walk } from './walk.ts';

export function receive(walk: Walk, said: number): Step {
  const { from, to } = walk.run(said);
  const disks = [{ vdev: 'xvda', sizeBytes: walk.vm.diskBytes, sectorBytes: 512 }];
  const placement = [{ vdev: 'xvda', pool: 'fast' }];
  return {
    kind: 'receive',
    title: walk.titled('receive', to, said),
    h: to,
    name: 'receiveRun',
    ask: [{ offer: walk.said.offers[said], placement, disks, from: walk.name(from) }],
    changes: ifEnabled({ kind: 'receive', h: to, said }),
  };
}

export function makeReady(walk: Walk, said: number): Step {
  const { from, to, migrationId, token } = walk.run(said);
  return {
    kind: 'ready',
    title: walk.titled('read back', to, said),
    h: to,
    name: 'makeReady',
    ask: [{ migrationId }],
    changes: (now) => {
      const source = now.model.hosts[from];
      // What a landing holds is what its source had under the fence: before that there is nothing to read back.
      if (!now.isPrepared(said) || source?.token !== token || source.noted !== token) return null;
      const change: Change = (model) => {
        const landed = structuredClone(model);
        const landing = landed.hosts[to];
        if (landing !== undefined) landing.disk = source.disk;
        by({ kind: 'ready', h: to, said })(landed);
        if (landed.ready.length > model.ready.length) Object.assign(model, landed);
      };
      return does(now.model)(change) ? [change] : null;
    },
  };
}

export function accept(walk: Walk, h: number, said: number): Step {
  const token = walk.said.deeds[said]?.body.token;
  const run = walk.said.runs.find((one) => one.token === token);
  return {
    kind: 'accept',
    title: `accept the deed of token ${String(token)} on ${walk.name(h)}`,
    h,
    name: 'acceptDeed',
    ask: [{ migrationId: run?.migrationId ?? walk.newId(), deed: walk.said.deeds[said] }],
    changes: ifEnabled({ kind: 'accept', h, said }),
  };
}

export function back(walk: Walk, h: number, said: number): Step {
  const deed = walk.said.deeds[said];
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

export function giveBack(walk: Walk, h: number, said: number): Step {
  return {
    kind: 'give back',
    title: walk.titled('give back', h, said),
    h,
    name: 'giveBack',
    ask: [{ migrationId: walk.run(said).migrationId }],
    changes: ifEnabled({ kind: 'giveBack', h, said }),
  };
}

/** A landing, or what was given back; `evenReady`: its source was asked, and has given its run up. */
export function collectLanding(walk: Walk, said: number, evenReady: boolean): Step {
  const { from, to, migrationId, token } = walk.run(said);
  const action = { kind: 'collectLanding', h: to, said, evenReady } as const;
  return {
    kind: 'collect landing',
    title: walk.titled(evenReady ? 'collect the landing given up' : 'collect the landing', to, said),
    h: to,
    name: 'removeGarbage',
    ask: [{ ids: [migrationId], givenUp: evenReady ? [migrationId] : [], by: 'walk' }],
    changes: (now) => {
      if (!now.hasCopy(to, migrationId)) return null;
      // a removal that was cut short goes on
      if (now.hasCollected(to, migrationId)) return [];
      if (!evenReady) return ifEnabled(action)(now);
      if (!isGivenUp(now.model, { at: to, from, token })) return null;
      const changes = [by({ kind: 'close', h: to, said }), by(action)].filter(does(now.model));
      return changes.length === 0 ? null : changes;
    },
  };
}

export function settle(walk: Walk, h: number, token: number): Step {
  return {
    kind: 'settle',
    title: `settle on ${walk.name(h)} what came by token ${String(token)}`,
    h,
    name: 'settleHold',
    ask: [{ vmUuid: walk.vm.uuid, token, by: 'walk' }],
    changes: ifEnabled({ kind: 'settle', h, token }),
  };
}
