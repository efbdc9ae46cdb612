import { enabled } from '../../deed/model/guards.ts';
import { by, does, unfenced } from './step.ts';
import type { Step } from './step.ts';
import type { Walk } from './walk.ts';

/** An operator makes this host the holder by hand, against one that has lost its power before. */
export function claim(walk: Walk, h: number): Step {
  const action = { kind: 'claim', h } as const;
  return {
    kind: 'claim',
    title: `claim on ${walk.name(h)}`,
    h,
    name: 'claim',
    ask: [{ vm: walk.vm.name, operatorFolder: walk.operatorFolder }],
    before: async (now) => {
      const against = now.model.hosts[h]?.peer;
      if (enabled(now.model, action) && against != null) await now.powerOff(against);
    },
    changes: ({ model }) => {
      const host = model.hosts[h];
      const starts = [...unfenced(h), by({ kind: 'start', h })];
      if (enabled(model, action)) return [by(action), ...starts];
      const claimed = model.claims.some(({ to, token }) => to === h && token === host?.token);
      return claimed && host?.state === 'holder' && host.run === 0 ? starts.filter(does(model)) : null;
    },
  };
}

/** A host hears of the claim; one that had lost its power is back, and gets its guests only after it has heeded. */
export function heed(walk: Walk, h: number): Step {
  const said = 0;
  return {
    kind: 'heed',
    title: `hear of claims on ${walk.name(h)}`,
    h,
    name: 'exchangeClaims',
    ask: [{ claims: walk.said.claims }],
    before: (now) => now.startUnpowered(h),
    after: (now) => now.powerOn(h),
    changes: (now) => {
      const { model } = now;
      const quell = by({ kind: 'quell', h });
      if (model.claims.length > 0 && enabled(model, { kind: 'heed', h, said }))
        return [by({ kind: 'heed', h, said }), quell];
      if (enabled(model, { kind: 'quell', h })) return [quell];
      return now.isDown(h) ? [() => undefined] : null;
    },
  };
}
