import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from './fs.ts';
import { errorCode } from './guest-disks.ts';
import { labPlaces } from './places.ts';
import type { LabPlaces } from './places.ts';
import { LabState } from './state.ts';

/** The commands of `xl` that faults may be asked of. */
export type FaultCommand =
  | 'info'
  | 'list'
  | 'create'
  | 'shutdown'
  | 'reboot'
  | 'destroy'
  | 'pause'
  | 'unpause'
  | 'save'
  | 'restore'
  | 'migrate'
  | 'migrate-receive';

/** What goes wrong in a guest. */
export interface GuestFault {
  /** The guest takes the request and does nothing. */
  ignoreShutdown?: true;
  /** The guest takes this long to halt. */
  slowShutdownMs?: number;
  /** Asked to halt, the guest reboots. */
  rebootInsteadOfHalt?: true;
  /** Asked to halt, the guest crashes. */
  crashInsteadOfHalt?: true;
  /** `open`: a disk cannot be opened when the domain is made. `write`: the guest's next write fails, and it writes no more. */
  diskError?: 'open' | 'write';
}

/** What goes wrong in an `xl` command. */
export interface CommandFault {
  /** The command does its work and then exits 1. */
  failAfterSuccess?: FaultCommand;
  /** The command does nothing and exits 0. */
  succeedWithoutDoing?: FaultCommand;
  /** The command kills itself by SIGKILL when half of its work is done. */
  killInMiddle?: FaultCommand;
  /** The command does nothing and exits 1. */
  refuse?: FaultCommand;
  /** The command does nothing and does not end; with `hangMs` it goes on after that time. */
  hang?: FaultCommand;
  hangMs?: number;
}

/** One fault on request. */
export interface LabFault extends GuestFault, CommandFault {
  /** Only for the VM of this name; every VM (and commands about none) when left out. */
  vm?: string;
  /** How often it strikes; for ever when left out. */
  times?: number;
}

/** Adds a fault to those of the stand-in host under `root`. */
export function setFault(root: string, fault: LabFault): void {
  const places = labPlaces(root);
  const state = new LabState(places);
  try {
    state.alone(() => {
      writeFaults(places, [...readFaults(places), fault]);
    });
  } finally {
    state.close();
  }
}

/** Takes all faults of the host away. */
export function clearFaults(root: string): void {
  rmSync(labPlaces(root).faultsFile, { force: true });
}

/** How often faults have struck on the host, since it was made. */
export function strikeCount(root: string): number {
  return readUnlessMissing(labPlaces(root).struckFile).split('\n').length - 1;
}

/** The first fault that `strikes`, for the VM `vm`; one of its times is used up. */
export function takeFault(
  places: LabPlaces,
  vm: string | null,
  strikes: (fault: LabFault) => boolean,
): LabFault | null {
  const fits = (fault: LabFault): boolean => (fault.vm === undefined || fault.vm === vm) && strikes(fault);
  if (!readFaults(places).some(fits)) return null;
  const state = new LabState(places);
  try {
    return state.alone(() => {
      const faults = readFaults(places);
      const found = faults.find(fits);
      if (found === undefined) return null;
      appendFileSync(places.struckFile, `${JSON.stringify(found)}\n`);
      if (found.times === undefined) return found;
      const left = found.times - 1;
      writeFaults(
        places,
        faults.flatMap((fault) => (fault !== found ? [fault] : left > 0 ? [{ ...fault, times: left }] : [])),
      );
      return found;
    });
  } finally {
    state.close();
  }
}

function readFaults(places: LabPlaces): LabFault[] {
  const text = readUnlessMissing(places.faultsFile);
  return text === '' ? [] : (JSON.parse(text) as LabFault[]);
}

function readUnlessMissing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

function writeFaults(places: LabPlaces, faults: LabFault[]): void {
  mkdirSync(places.root, { recursive: true });
  const draft = `${places.faultsFile}.${String(process.pid)}`;
  writeFileSync(draft, JSON.stringify(faults, null, 2));
  renameSync(draft, places.faultsFile);
}
