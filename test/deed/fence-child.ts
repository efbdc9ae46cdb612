import { fence, unfence } from '../../deed/fence.ts';
import type { FenceKind, FencePlaces } from '../../deed/fence.ts';
import type { Mark } from '../../storage/mark.ts';

/** What a child process is asked to do, and after which of its steps (from 1) it kills itself. */
export interface Task {
  act: 'fence' | 'unfence';
  places: FencePlaces;
  mark: Mark;
  kind: FenceKind;
  dieAfter: number;
}

const task = JSON.parse(process.argv[2] ?? '') as Task;
let steps = 0;
function onStep(): void {
  steps += 1;
  if (steps === task.dieAfter) process.kill(process.pid, 'SIGKILL');
}

if (task.act === 'fence') await fence(task.places, task.mark, task.kind, { onStep });
else await unfence(task.places, task.mark, { onStep });
