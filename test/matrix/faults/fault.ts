import type { Reached } from '../director.ts';
import type { Point } from '../points.ts';
import type { Run } from '../run.ts';

/** Whether what was laid out has met something that it harmed; asked when the run is over. */
export type Met = () => boolean;

/** Something that goes wrong while a host worker stands at a point. It goes on when `strike` has ended, if it still lives. */
export interface Fault {
  name: string;
  /** What is not done by its end is told of in `run.laid`. */
  strike(run: Run, at: Reached): Promise<void> | void;
  /** Its runs take twice as long as others: the pairing plays it no oftener than it must. */
  slow?: true;
  /** It is over soon, and the move goes on by itself and comes to its end: another fault may strike later in the same run. */
  passes?: true;
  /** Its VM has moved and come back before: there is an earlier run of it. */
  afterReturn?: true;
  /** Where it makes sense; everywhere when left out. */
  at?(point: Point): boolean;
}
