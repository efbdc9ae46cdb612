import type { MigrationStatus, MoveHandle, MoveProgress, TaskHandle } from '../../client/index.ts';
import type { Cli } from '../cli.ts';
import { exitCodes } from '../exit-codes.ts';
import { listenKeys } from './keys.ts';
import { makeTeller } from './teller.ts';
import type { Teller } from './teller.ts';
import { taskWord } from './words.ts';

/** How following a migration ended: it closed, it waits for a person and nobody is at this terminal, or Ctrl-C. */
export type Ending<Result> =
  { how: 'closed'; result: Result; status: MigrationStatus | null } | { how: 'waits' } | { how: 'detached' };

export interface FollowOptions {
  /** Goes on following a migration that waits for a person, also where nobody is at a terminal. */
  stay: boolean;
}

/**
 * Tells how a migration goes on until it ends, and gives its result; a failed one throws what it failed with. Ctrl-C ends the
 * following and never the migration. The exit codes 4 and 130 are set here, with the way to rejoin.
 */
export async function follow<Result>(
  cli: Cli,
  handle: TaskHandle<Result>,
  options: FollowOptions,
): Promise<Ending<Result>> {
  const teller = makeTeller(cli);
  const interrupt = Promise.withResolvers<'interrupted'>();
  const deafen = cli.io.onInterrupt(() => interrupt.resolve('interrupted'));
  const release = cli.interactive ? steerByKeys(cli, handle, teller, () => interrupt.resolve('interrupted')) : null;
  const stop = new AbortController();
  let last: MoveProgress | null = null;
  let how: Ending<Result>['how'] = 'closed';
  try {
    const looks = handle.progress({ signal: stop.signal });
    for (;;) {
      const look = await Promise.race([looks.next(), interrupt.promise]);
      if (look === 'interrupted') how = 'detached';
      if (look === 'interrupted' || look.done === true) break;
      last = look.value;
      teller.tell(last);
      if (!cli.interactive && !options.stay && last.status.waitsForPerson) {
        how = 'waits';
        break;
      }
    }
  } finally {
    stop.abort();
    release?.();
    teller.end();
    deafen();
  }
  if (how === 'closed') return { how, result: await handle.result(), status: last?.status ?? null };
  leave(cli, handle, how, last);
  return { how };
}

/** Says that the migration goes on, and how to see it again. */
function leave(cli: Cli, handle: TaskHandle<unknown>, how: 'waits' | 'detached', last: MoveProgress | null): void {
  const name = last?.status.vmName ?? handle.vmUuid;
  cli.exitCode = exitCodes[how];
  if (how === 'waits') {
    if (cli.json) cli.event({ event: 'waits', waits: last?.status.waits ?? [] });
    cli.note(`${name} waits for a person; rejoin it by: sealift watch ${name}`);
    return;
  }
  if (cli.json) cli.event({ event: 'detached', workflowId: handle.workflowId });
  cli.note(`the ${taskWord(last?.status.kind)} of ${name} goes on; rejoin it by: sealift watch ${name}`);
}

const keysFoot = 'Ctrl-C leaves it running.  p pause, resume   a abort';

/** Lets the keys of a terminal steer the migration while it is followed. */
function steerByKeys(cli: Cli, handle: TaskHandle<unknown>, teller: Teller, leaveIt: () => void): () => void {
  let asked = false;
  const foot = (line?: string): void => teller.foot(line === undefined ? [keysFoot] : [line, keysFoot]);
  const act = (name: string, ask: Promise<unknown>): void => {
    foot(`${name} …`);
    ask.then(
      () => foot(),
      (error: unknown) => foot(error instanceof Error ? error.message : String(error)),
    );
  };
  foot();
  return listenKeys(cli.io.stdin, (key) => {
    if (key === 'ctrl-c') return leaveIt();
    if (asked) {
      asked = false;
      if (key === 'y') act('abort', handle.abort());
      else foot();
    } else if (key === 'a') {
      asked = true;
      foot('abort the move and bring the VM back to where it was? y');
    } else if (key === 'p' && isMove(handle)) {
      act(
        'pause or resume',
        handle.status().then((status) => (status.paused ? handle.resume() : handle.pause())),
      );
    }
  });
}

function isMove(handle: TaskHandle<unknown>): handle is MoveHandle {
  return 'pause' in handle;
}
