import { mkdirSync, writeFileSync } from './fs.ts';
import { join } from 'node:path';
import { takeFault } from './faults.ts';
import type { GuestConfig } from './guest-config.ts';
import { errorText, heldDisks, placeDisks, sharedDisk } from './guest-disks.ts';
import { until } from './patience.ts';
import { labSettings } from './places.ts';
import type { LabPlaces } from './places.ts';
import { livingProcess, signalProcess, thisProcess } from './process.ts';
import type { GuestMemory } from './record-writer.ts';
import { spawnDomain } from './spawn-domain.ts';
import type { DomainAnswer } from './spawn-domain.ts';
import type { LabState } from './state.ts';
import { givenUp, XlFailure } from './xl-failure.ts';

/** What a domain's process is started with. */
export interface DomainSpec {
  domid: number;
  config: GuestConfig;
  /** A saved guest's memory; null boots. */
  memory: GuestMemory | null;
  /** Its memory is on its way, and lies in its file when the domain is unpaused. */
  arrives: boolean;
  /** The disk whose opening fails by a fault. */
  failDisk: boolean;
}

export interface CreateOptions {
  paused: boolean;
  memory: GuestMemory | null;
  arrives?: boolean;
  /** Called when the domain holds its disks and its guest has not run yet. */
  halfWay?: () => void;
}

/**
 * Makes a domain of `config` and starts its guest; returns its domid. Fails with libxl's texts and `xl create`'s exit code 3:
 * the name is taken on this host, a disk is not there, is used by another domain of this host, or cannot be opened.
 */
export async function createDomain(
  places: LabPlaces,
  state: LabState,
  config: GuestConfig,
  options: CreateOptions,
): Promise<number> {
  const domid = enroll(places, state, config);
  try {
    const spec: DomainSpec = {
      domid,
      config,
      memory: options.memory,
      arrives: options.arrives ?? false,
      failDisk: takeFault(places, config.name, (fault) => fault.diskError === 'open') !== null,
    };
    const folder = join(places.runFolder, 'domains');
    mkdirSync(folder, { recursive: true });
    const specFile = join(folder, `${String(domid)}.json`);
    writeFileSync(specFile, JSON.stringify(spec));
    const built = await spawnDomain(places, config.name, specFile);
    if (!built.answer.ready) throw new XlFailure(3, ...diskLines(domid, config, built.answer));
    options.halfWay?.();
    state.change(domid, { phase: 'running' });
    await built.release(options.paused);
    if (options.paused) await untilPaused(state, domid);
    return domid;
  } catch (error) {
    await withdraw(state, domid);
    throw error;
  }
}

/** Where the memory of a domain lies that is suspended, or arrives. */
export function memoryFile({ runFolder }: LabPlaces, domid: number): string {
  return join(runFolder, 'domains', `${String(domid)}.memory`);
}

/** Takes a domid and enters the domain, alone on this host: two that want one disk or one name cannot both get in. */
function enroll(places: LabPlaces, state: LabState, config: GuestConfig): number {
  const placed = placeDisks(config);
  const settings = labSettings(places);
  const entered = state.alone(() => {
    const others = state.living();
    const usedMib = others.reduce((sum, other) => sum + other.config.memoryKb / 1024, settings.dom0Mib);
    if (usedMib + config.memoryKb / 1024 > settings.memoryMib)
      return new XlFailure(3, 'failed to free memory for the domain');
    const domid = state.nextDomid();
    const problem = refusal(domid, config, placed, others);
    if (problem !== null) return new XlFailure(3, ...problem, ...givenUp(domid));
    state.put({
      domid,
      name: config.name,
      uuid: config.uuid,
      config,
      phase: 'building',
      reason: null,
      process: null,
      builder: thisProcess(),
      ran: false,
      createdMs: Date.now(),
      held: 'disks' in placed ? heldDisks(placed.disks) : [],
    });
    return domid;
  });
  // Thrown out here, so that a failed try uses up its domid as it does on Xen.
  if (entered instanceof XlFailure) throw entered;
  return entered;
}

function refusal(
  domid: number,
  config: GuestConfig,
  placed: ReturnType<typeof placeDisks>,
  others: ReturnType<LabState['living']>,
): string[] | null {
  const domain = `Domain ${String(domid)}`;
  if (others.some(({ name, phase }) => name === config.name && phase !== 'nameless'))
    return [
      `libxl: error: libxl_domain.c:81:libxl__domain_rename: ${domain}:Domain with name "${config.name}" already exists.`,
      `libxl: error: libxl_create.c:1296:initiate_domain_create: ${domain}:cannot make domain: -6`,
    ];
  if ('code' in placed)
    return [
      `libxl: error: libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=${placed.disk.vdev} failed to stat: ${String(placed.disk.target)}: ${errorText(placed.code)}`,
      `libxl: error: libxl_create.c:1318:initiate_domain_create: ${domain}:Unable to set disk defaults for disk ${String(placed.index)}`,
    ];
  // Xen's block script takes a domain with the same uuid for the same VM, which may have the disk (xl-session.ts shows it).
  const shared = sharedDisk(
    placed.disks,
    others.filter(({ uuid }) => uuid !== config.uuid),
  );
  if (shared === null) return null;
  return blockScript(domid, `Device ${shared.realPath} is mounted in a guest domain,\nand so cannot be mounted now.`);
}

function diskLines(domid: number, config: GuestConfig, answer: DomainAnswer & { ready: false }): string[] {
  if ('why' in answer)
    return [
      `libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain ${String(domid)}:${answer.why}`,
      ...givenUp(domid),
    ];
  const target = config.disks[answer.index]?.target ?? '';
  return [...blockScript(domid, `losetup /dev/loop${String(answer.index)} ${target} failed`), ...givenUp(domid)];
}

/** Xen's block script has refused a disk. */
function blockScript(domid: number, says: string): string[] {
  return [
    `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [${String(process.pid)}] exited with error status 1`,
    `libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: ${says}`,
    `libxl: error: libxl_create.c:1672:domcreate_launch_dm: Domain ${String(domid)}:unable to add disk devices`,
  ];
}

async function untilPaused(state: LabState, domid: number): Promise<void> {
  await until(5_000, () => {
    const domain = state.living().find((one) => one.domid === domid);
    return domain === undefined || domain.facts.letter === 'T';
  });
}

/** Ends what was built of a domain. */
async function withdraw(state: LabState, domid: number): Promise<void> {
  const domain = state.get(domid)?.process ?? null;
  if (domain !== null) {
    signalProcess(domain, 'SIGKILL');
    await until(5_000, () => livingProcess(domain) === null);
  }
  state.alone(() => {
    state.remove(domid);
  });
}
