import type { z } from 'zod';
import { method } from '../../domain/names.ts';
import type { Reached } from './director.ts';

/** Those by which disks cross on any machine: `live` and `tunnel` have tests of their own (test/faults/live, test/wan). */
export const copyMethod = method.exclude(['live', 'tunnel']);
export type CopyMethod = z.infer<typeof copyMethod>;

/** What is asked for when a point comes: the first of these that a run goes through after the one before it. */
export const stages = ['adopt', 'move', 'revert', 'finish', 'gc'] as const;
export type StageName = (typeof stages)[number];

/** A host, as a run sees it: the VM goes from its source to its destination, and comes back by a revert. */
export type End = 'source' | 'destination';

/** A place of a run at which a fault may strike. */
export interface Point {
  name: string;
  stage: StageName;
  /** The end of the move whose worker stands there. */
  end: End;
  methods: readonly CopyMethod[];
  /** Whether it is reached, by the worker of that end. */
  fits(at: Reached): boolean;
}

/** Chunks of the disks that every VM of the matrix has: 9 MiB and 1 MiB. */
const chunks = 4;

const both = ['sealed', 'staged'] as const;

const send = around('send', 'move', 'source', 'sendDisks', ['sealed']);
const unseal = around('unseal', 'move', 'destination', 'openContainer', ['staged']);

/** In the order in which a run comes to them. `before` a point its step has not begun; `after` it the host has done it and nobody else knows. */
export const points: Point[] = [
  ...around('adopt', 'adopt', 'source', 'adoptVm'),
  ...around('survey', 'move', 'source', 'surveySource'),
  ...around('open', 'move', 'source', 'openRun'),
  ...around('receive', 'move', 'destination', 'receiveRun'),
  ...around('admit', 'move', 'source', 'admitRun'),
  ...around('stop', 'move', 'source', 'stopVm'),
  ...around('fence', 'move', 'source', 'fenceVm'),
  ...send.slice(0, 1),
  ...around('seal', 'move', 'source', 'sealContainer', ['staged']),
  ...around('copy', 'move', 'source', 'sendContainer', ['staged']),
  ...unseal.slice(0, 1),
  ...aroundChunk('first chunk', (held) => held === 1),
  ...aroundChunk('middle chunk', (held) => held > 1 && held < chunks),
  ...aroundChunk('last chunk', (held) => held === chunks),
  ...around('manifest', 'move', 'destination', 'manifest'),
  ...send.slice(1),
  ...unseal.slice(1),
  ...around('READY', 'move', 'destination', 'makeReady'),
  ...around('cede', 'move', 'source', 'cede'),
  ...around('accept', 'move', 'destination', 'acceptDeed'),
  ...around('start', 'move', 'destination', 'startVm'),
  ...around('probe', 'move', 'destination', 'probeVm'),
  ...around('receipt', 'move', 'source', 'signReceipt'),
  ...around('revert', 'revert', 'destination', 'beginReturn'),
  ...around('revert stop', 'revert', 'destination', 'stopVm'),
  ...around('revert fence', 'revert', 'destination', 'fenceVm'),
  ...around('give back', 'revert', 'destination', 'giveBack'),
  ...around('take back', 'revert', 'source', 'takeBack'),
  ...around('revert start', 'revert', 'source', 'startVm'),
  ...around('settle', 'finish', 'destination', 'settleHold'),
  ...around('finish', 'finish', 'source', 'finishHold'),
  ...around('gc', 'gc', 'source', 'removeGarbage'),
];

function around(
  name: string,
  stage: StageName,
  end: End,
  step: string,
  methods: readonly CopyMethod[] = both,
): Point[] {
  return (['before', 'after'] as const).map((when) => ({
    name: `${when} ${name}`,
    stage,
    end,
    methods,
    fits: (at) => at.name === step && at.when === when,
  }));
}

/** Before a chunk is synced and journaled, and after, when its acknowledgement has not left. `held`: with that chunk. */
function aroundChunk(name: string, which: (held: number) => boolean): Point[] {
  return (['before', 'after'] as const).map((when) => ({
    name: `${when} ${name}`,
    stage: 'move',
    end: 'destination',
    methods: both,
    fits: (at) => {
      if (at.name !== 'chunk' || at.when !== when) return false;
      const totals = at.facts as { heldChunks: number }[];
      const held = totals.reduce((sum, { heldChunks }) => sum + heldChunks, 0);
      return which(when === 'before' ? held + 1 : held);
    },
  }));
}
