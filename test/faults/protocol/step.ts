import type { Action } from '../../deed/model/actions.ts';
import { apply } from '../../deed/model/effects.ts';
import { enabled } from '../../deed/model/guards.ts';
import type { Model } from '../../deed/model/state.ts';
import type { HostActivities } from '../../../activities/port.ts';
import type { Walk } from './walk.ts';

/** One change of the model; a step makes some of them, one after the other. */
export type Change = (model: Model) => void;

/** What a host is asked for. It may be asked for at any moment, and again. */
export interface Step {
  kind: string;
  title: string;
  h: number;
  name: keyof HostActivities | 'claim';
  ask: unknown[];
  /** What it does to the VM now, by the model, in this order; null when it may do nothing, whatever it answers. */
  changes: (walk: Walk) => Change[] | null;
  /** What happens to hosts before it is asked, and after it was answered. */
  before?: (walk: Walk) => Promise<void>;
  after?: (walk: Walk) => Promise<void>;
}

/** What an action of the model changes, when it is permitted now. */
export function ifEnabled(action: Action): Step['changes'] {
  return ({ model }) => (enabled(model, action) ? [by(action)] : null);
}

/** What an action of the model changes, where it is permitted. */
export function by(action: Action): Change {
  return (model) => {
    if (enabled(model, action)) apply(model, action);
  };
}

/** The fence of a host comes off. */
export function unfenced(h: number): Change[] {
  return [
    (model) => {
      by({ kind: 'unfence', h })(model);
      by({ kind: 'unfenceDone', h })(model);
    },
  ];
}

/** Tells, one after the other, which changes change anything. */
export function does(model: Model): (change: Change) => boolean {
  const now = structuredClone(model);
  return (change) => {
    const before = JSON.stringify(now);
    change(now);
    return JSON.stringify(now) !== before;
  };
}
