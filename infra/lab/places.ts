import { readFileSync } from './fs.ts';
import { join } from 'node:path';

/** Where things lie under a stand-in host's root. */
export interface LabPlaces {
  root: string;
  etcFolder: string;
  autoFolder: string;
  saveFolder: string;
  /** An entry for each network interface of dom0. */
  netFolder: string;
  /** Cleared by a reboot, like xenstore. */
  runFolder: string;
  consoleFolder: string;
  settingsFile: string;
  faultsFile: string;
  /** One line of JSON for each time that a fault has struck. */
  struckFile: string;
}

/** The places of the host under `root`; nothing is looked at. */
export function labPlaces(root: string): LabPlaces {
  const etcFolder = join(root, 'etc/xen');
  return {
    root,
    etcFolder,
    autoFolder: join(etcFolder, 'auto'),
    saveFolder: join(root, 'var/lib/xen/save'),
    netFolder: join(root, 'sys/class/net'),
    runFolder: join(root, 'run'),
    consoleFolder: join(root, 'var/log/xen/console'),
    settingsFile: join(root, 'lab-host.json'),
    faultsFile: join(root, 'faults.json'),
    struckFile: join(root, 'struck.jsonl'),
  };
}

/** What a stand-in host is made of; written by `makeLabHost`. */
export interface LabSettings {
  hostName: string;
  memoryMib: number;
  dom0Mib: number;
  /** `4.17.7`: major, minor and the rest. */
  xenVersion: string;
  /** What guests may be, as `xl info` lists it. */
  xenCaps: string;
  /** Of the hypervisor; null fixes the size of dom0, as on most real hosts. */
  xenCommandLine: string | null;
  /** How many processors it says that it has; null for those of this machine. */
  processors: number | null;
  /** How long a guest takes to halt when it is asked to. */
  guestHaltMs: number;
  /** How long a domain shows as `--ps--`; it holds its disks for the first half (two to three seconds on real Xen). */
  dyingMs: number;
  /** Unix socket of an observer for every domain of the host; the environment's SEALIFT_LAB_OBSERVER comes first. */
  observer: string | null;
}

/** Reads the host's settings. Throws when `root` is not a stand-in host. */
export function labSettings(places: LabPlaces): LabSettings {
  // Written by makeLabHost only; a schema library here would double the start-up time of every `xl`.
  return JSON.parse(readFileSync(places.settingsFile, 'utf8')) as LabSettings;
}
