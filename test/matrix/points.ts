import type { Method } from '../../domain/names.ts';
import type { Reached } from './director.ts';

/** What is asked for when a point comes: the first of these that a run goes through after the one before it. */
export const stages = ['adopt', 'move', 'revert', 'finish', 'gc'] as const;
export type StageName = (typeof stages)[number];

/** A place of a run at which a fault may strike. */
export interface Point {
  name: string;
  stage: StageName;
  /** The host whose worker stands there. */
  host: 'lon-1' | 'fra-1';
  methods: readonly Method[];
  fits(at: Reached): boolean;
}

/** Chunks of the disks that every VM of the matrix has: 9 MiB and 1 MiB. */
const chunks = 4;

const both = ['sealed', 'staged'] as const;

/** `before` a point its step has not begun; `after` it the host has done it and nobody else knows. */
export const points: Point[] = [
  ...around('adopt', 'adopt', 'lon-1', 'adoptVm'),
  ...around('survey', 'move', 'lon-1', 'surveySource'),
  ...around('open', 'move', 'lon-1', 'openRun'),
  ...around('receive', 'move', 'fra-1', 'receiveRun'),
  ...around('admit', 'move', 'lon-1', 'admitRun'),
  ...around('stop', 'move', 'lon-1', 'stopVm'),
  ...around('fence', 'move', 'lon-1', 'fenceVm'),
  ...around('send', 'move', 'lon-1', 'sendDisks', ['sealed']),
  ...around('seal', 'move', 'lon-1', 'sealContainer', ['staged']),
  ...around('copy', 'move', 'lon-1', 'sendContainer', ['staged']),
  ...around('unseal', 'move', 'fra-1', 'openContainer', ['staged']),
  ...aroundChunk('first chunk', (held) => held === 1),
  ...aroundChunk('middle chunk', (held) => held > 1 && held < chunks),
  ...aroundChunk('last chunk', (held) => held === chunks),
  ...around('manifest', 'move', 'fra-1', 'manifest'),
  ...around('READY', 'move', 'fra-1', 'makeReady'),
  ...around('cede', 'move', 'lon-1', 'cede'),
  ...around('accept', 'move', 'fra-1', 'acceptDeed'),
  ...around('start', 'move', 'fra-1', 'startVm'),
  ...around('probe', 'move', 'fra-1', 'probeVm'),
  ...around('receipt', 'move', 'lon-1', 'signReceipt'),
  ...around('revert', 'revert', 'fra-1', 'beginReturn'),
  ...around('revert stop', 'revert', 'fra-1', 'stopVm'),
  ...around('revert fence', 'revert', 'fra-1', 'fenceVm'),
  ...around('give back', 'revert', 'fra-1', 'giveBack'),
  ...around('take back', 'revert', 'lon-1', 'takeBack'),
  ...around('revert start', 'revert', 'lon-1', 'startVm'),
  ...around('finish', 'finish', 'lon-1', 'finishHold'),
  ...around('settle', 'finish', 'fra-1', 'settleHold'),
  ...around('gc', 'gc', 'lon-1', 'removeGarbage'),
];

function around(
  name: string,
  stage: StageName,
  host: Point['host'],
  step: string,
  methods: readonly Method[] = both,
): Point[] {
  return (['before', 'after'] as const).map((when) => ({
    name: `${when} ${name}`,
    stage,
    host,
    methods,
    fits: (at) => at.name === step && at.when === when && at.host === host,
  }));
}

/** Before a chunk is synced and journaled, and after, when its acknowledgement has not left. `held`: with that chunk. */
function aroundChunk(name: string, which: (held: number) => boolean): Point[] {
  return (['before', 'after'] as const).map((when) => ({
    name: `${when} ${name}`,
    stage: 'move',
    host: 'fra-1',
    methods: both,
    fits: (at) => {
      if (at.name !== 'chunk' || at.when !== when) return false;
      const totals = at.facts as { heldChunks: number }[];
      const held = totals.reduce((sum, { heldChunks }) => sum + heldChunks, 0);
      return which(when === 'before' ? held + 1 : held);
    },
  }));
}
