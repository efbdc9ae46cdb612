import { resolve } from 'node:path';
import { execa } from 'execa';
import { cutOff, joinOutside } from './outside.ts';
import type { Cable } from './outside.ts';
import { Emulator } from './emulator.ts';
import type { Carried } from './emulator.ts';
import { settingsOf } from './link.ts';
import type { Link } from './link.ts';

/** Where the emulator is kept that was built last. */
const cacheFolder = resolve(import.meta.dirname, '../../../.sealift/cache/wan-lab');
const device = 'wan0';
const network = '10.79.0.0/24';
const mtuBytes = 1500;
/** Of each packet: IP, TCP and its time stamps. */
export const headerBytes = 52;
/** What of a line is payload, in packets of full size. */
export const payloadShare = (mtuBytes - headerBytes) / mtuBytes;

/** A place at one end of the line: a network namespace. */
export interface Site extends Cable {
  name: string;
  /** On the line. */
  address: string;
  /** The words by which a program runs there, that is killed when who started it ends. */
  within: (program: string, ...args: string[]) => [program: string, args: string[]];
}

/** Two sites and a long line between them. */
export interface WanLab {
  sites: readonly [Site, Site];
  /** Changes the line; what is not said is as it comes: no delay, no limit, no loss. */
  setLink(link: Link): Promise<void>;
  /** By which algorithm both sites send on it from now on, such as `cubic`; null: the kernel's own choice, which is one of the machine's for new namespaces. */
  setCongestion(algorithm: string | null): Promise<void>;
  carried(): Promise<[Carried, Carried]>;
  /** The process that carries its packets. */
  emulatorPid: number;
  down(): Promise<void>;
}

/**
 * Brings up two sites, `lon` and `fra`, and the line between them. They are there for as long as this process at most: the kernel removes them with the emulator, and that ends
 * with whoever started it. Needs what `missingNeeds` names.
 */
export async function bringUpWanLab(link: Link = {}): Promise<WanLab> {
  const emulator = await Emulator.start(cacheFolder, device);
  const setLink = (now: Link): Promise<void> => emulator.set(settingsOf(now));
  let sites: WanLab['sites'];
  try {
    const [lon, fra] = emulator.namespaces;
    const [fromLon, fromFra] = await joinOutside(emulator.namespaces);
    sites = [
      { name: 'lon', address: '10.79.0.1', ...fromLon, within: enter(lon) },
      { name: 'fra', address: '10.79.0.2', ...fromFra, within: enter(fra) },
    ];
    for (const one of sites) {
      // Connections of a program that was killed keep a namespace for as long as they try to send what is left.
      await execa(...one.within('sysctl', '-q', '-w', 'net.ipv4.tcp_orphan_retries=1'));
      const lines = [
        `addr add ${one.address}/24 dev ${device}`,
        // As long a queue as a host's own: the line's is the emulator's.
        `link set ${device} up mtu ${String(mtuBytes)} txqueuelen 2000`,
      ];
      await execa(...one.within('ip', '-batch', '-'), { input: `${lines.join('\n')}\n` });
    }
    await setLink(link);
  } catch (error) {
    await emulator.stop();
    throw error;
  }
  const setCongestion = async (algorithm: string | null): Promise<void> => {
    const by = algorithm === null ? [] : ['congctl', algorithm];
    for (const { address, within } of sites)
      await execa(...within('ip', 'route', 'replace', network, 'dev', device, 'scope', 'link', 'src', address, ...by));
  };
  const down = async (): Promise<void> => {
    await cutOff(sites);
    await emulator.stop();
  };
  return {
    sites,
    setLink,
    setCongestion,
    carried: () => emulator.carried(),
    emulatorPid: emulator.pid,
    down,
  };
}

function enter(namespace: string): Site['within'] {
  return (...words) => ['nsenter', [`--net=${namespace}`, 'setpriv', '--pdeathsig', 'KILL', ...words]];
}
