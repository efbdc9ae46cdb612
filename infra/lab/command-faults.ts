import { setTimeout as sleep } from 'node:timers/promises';
import { takeFault } from './faults.ts';
import { writeSync } from './fs.ts';
import type { LabPlaces } from './places.ts';
import { XlFailure } from './xl-failure.ts';

const forEverMs = 2 ** 31 - 1;

/** The faults that strike a command at its begin: it hangs, is refused, or (true) is to do nothing and say that it succeeded. */
export async function strike(places: LabPlaces, command: string, vm: string | null): Promise<boolean> {
  const fault = takeFault(
    places,
    vm,
    (one) => one.hang === command || one.refuse === command || one.succeedWithoutDoing === command,
  );
  if (fault === null) return false;
  if (fault.refuse === command) throw new XlFailure(1, `libxl: error: ${command} is refused: a fault on request`);
  if (fault.hang === command) await sleep(fault.hangMs ?? forEverMs);
  return fault.succeedWithoutDoing === command;
}

/** The fault that strikes a command half way: nobody cleans up behind it. */
export function strikeHalfWay(places: LabPlaces, command: string, vm: string | null): void {
  if (takeFault(places, vm, ({ killInMiddle }) => killInMiddle === command) !== null)
    process.kill(process.pid, 'SIGKILL');
}

/** Whether a command that has succeeded is to say that it failed. */
export function strikeAtEnd(places: LabPlaces, command: string, vm: string | null): boolean {
  if (takeFault(places, vm, ({ failAfterSuccess }) => failAfterSuccess === command) === null) return false;
  writeSync(2, 'libxl: error: libxl_event.c: lost the connection to xenstored: Connection reset by peer\n');
  return true;
}
