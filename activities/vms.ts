import { notThere } from '../dom0/system-errors.ts';
import { isCutShort } from '../deed/record.ts';
import type { DeedRecord, DeedRun } from '../deed/record.ts';
import { note, refusal, warning } from '../domain/concern.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { crossingDisks } from '../domain/manifest.ts';
import type { DiskShape } from '../domain/manifest.ts';
import { vmName, vmUuid } from '../domain/names.ts';
import type { Concern, VmSummary } from '../domain/survey.ts';
import { diskShapeOf } from '../storage/disk-shape.ts';
import { isDirtyQcow2, probeFormat } from '../storage/format.ts';
import { diskPlace } from '../storage/loop.ts';
import type { Loop } from '../storage/loop.ts';
import type { Lun } from '../storage/lun.ts';
import { readMark } from '../storage/mark.ts';
import type { Place, Volume } from '../storage/volume.ts';
import { findVms, lookAround } from '../xen/dom0.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { configConcerns } from '../xen/concerns.ts';
import type { Domain } from '../xen/toolstack.ts';
import { peerName } from './host.ts';
import type { Host } from './host.ts';
import { lunConcerns, reservationWords } from './luns.ts';
import { findNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import type { VmReport } from './port.ts';
import { fitVolume, shapeNow, userBeside } from './volumes.ts';

/** Every VM of this host: domains, configurations at rest, and copies that only the records know of. */
export async function listVms(host: Host): Promise<VmSummary[]> {
  const { vms, domains } = await lookAround(host.dom0, host.toolstack);
  const summaries: VmSummary[] = [];
  for (const vm of vms) summaries.push(await summary(host, vm));
  const shown = new Set(summaries.map((one) => one.vmUuid));
  for (const record of host.deeds.records()) {
    if (!shown.has(record.vmUuid)) summaries.push(await summaryOfRecord(host, record, domains));
  }
  return summaries;
}

/** The VM of a uuid: a domain, a configuration at rest or a copy that only the record knows of; null when there is none. */
export async function seeVm(host: Host, uuid: string): Promise<VmSummary | null> {
  const { vms, domains } = await lookAround(host.dom0, host.toolstack);
  const found = vms.find((one) => one.uuid === uuid);
  if (found !== undefined) return summary(host, found);
  const record = host.deeds.byVm(uuid);
  return record === null ? null : summaryOfRecord(host, record, domains);
}

/** One VM by name or uuid with its disks, its concerns and the marks about it. Throws `unknown-vm`. */
export async function inspectVm(host: Host, vm: string): Promise<VmReport> {
  const { vms, domains } = await lookAround(host.dom0, host.toolstack);
  const found = vms.find((one) => one.uuid === vm || one.name === vm);
  if (found === undefined) return reportOfRecord(host, vm, domains);
  const { disks, concerns } = await examineDisks(found, vms);
  const marks = await marksOf(disks);
  const record = found.uuid === null ? null : host.deeds.byVm(found.uuid);
  return {
    summary: await summary(host, found),
    disks: disks.map(shownDisk),
    concerns: [...concerns, ...concernsOf(found)],
    marks,
    ranSince: record === null ? null : ranSince(host, record),
    run: runToAbort(host, record),
  };
}

/** The VM of a uuid among all of this host's. Throws `unknown-vm`, or `vm-aside` for one that only its record knows of. */
export async function findVm(host: Host, uuid: string): Promise<{ found: FoundVm; all: FoundVm[] }> {
  const all = await findVms(host.dom0, host.toolstack);
  const found = all.find((one) => one.uuid === uuid);
  if (found === undefined) throw notFound(host, uuid);
  return { found, all };
}

/** A disk that a VM writes: read-only disks and CD-ROMs do not cross. */
export interface ExaminedDisk extends Omit<DiskShape, 'lun'> {
  path: string;
  /** The loop device by which the guest has the file `path`. */
  loop?: Loop | undefined;
  volume?: Volume | undefined;
  lun?: Lun | undefined;
  problem: string | null;
}

/** Measures a VM's disks and says what stands against moving them; a disk that cannot be measured has one byte and a problem. */
export async function examineDisks(
  vm: FoundVm,
  all: FoundVm[],
): Promise<{ disks: ExaminedDisk[]; concerns: Concern[] }> {
  const disks: ExaminedDisk[] = [];
  const concerns: Concern[] = [];
  const others = await pathsOfOthers(vm, all);
  for (const disk of vm.disks) {
    if (disk.cdrom || disk.target === null) continue;
    const refuse = (name: Parameters<typeof refusal>[0], text: string, remedy?: string): void =>
      void concerns.push(refusal(name, `disk ${disk.vdev}: ${text}`, remedy));
    let shape = { sizeBytes: 1, sectorBytes: 512 };
    let problem: string | null = null;
    let path = disk.target;
    let loop: Loop | undefined;
    let volume: Volume | undefined;
    let lun: Lun | undefined;
    try {
      ({ path, loop, volume, lun } = await diskPlace(disk.target));
      if (volume !== undefined) {
        const found = await fitVolume(volume);
        const user = await userBeside(found, vm.domid !== null);
        if (user !== null) refuse('disk-busy', `it is in use outside of the VM: ${user}`);
      }
      if (lun !== undefined) concerns.push(...(await lunConcerns({ vdev: disk.vdev, target: disk.target }, lun)));
      shape = await diskShapeOf(path);
      const is = await probeFormat(path);
      if (disk.format !== 'raw') refuse('disk-format', `its format is ${disk.format}, only raw can be moved`);
      else if (is !== 'raw') refuse('disk-format', `it is given as raw but holds a ${is} image`);
      if (is === 'qcow2' && (await isDirtyQcow2(path)))
        concerns.push(warning('qcow2-dirty', `disk ${disk.vdev}: its image is marked as dirty or corrupt`));
      if (shape.sizeBytes % shape.sectorBytes !== 0)
        concerns.push(note('odd-size', `disk ${disk.vdev} is not a whole number of sectors`));
    } catch (error) {
      problem = error instanceof Error ? error.message : 'cannot be read';
      const type = error instanceof SealiftError ? error.type : null;
      const hint = isSealiftError(error) ? error.hint : undefined;
      if (type === 'fence-failed' || type === 'lvm-failed' || type === 'iscsi-failed' || type === 'disk-shared')
        refuse(type, problem, hint);
      else if (type === 'disk-missing') refuse(type, 'it is not there', hint);
      else refuse('disk-unreadable', 'it cannot be opened or measured', hint);
    }
    if (disk.access === 'w!') refuse('disk-shared', 'it is writable by others as well (w!)');
    if (disk.access === 'r') refuse('disk-read-only', 'it is read-only, perhaps shared with other VMs');
    if (disk.script !== null) refuse('disk-script', 'it is made by a script');
    if (disk.backend !== null) refuse('disk-driver-domain', 'it is served by another domain');
    const user = others.get(lun?.id ?? path);
    if (user !== undefined) refuse('disk-shared', `VM ${user} uses it too`);
    disks.push({ vdev: disk.vdev, ...shape, path, loop, volume, lun, problem });
  }
  const shared = disks.length - crossingDisks(disks).length;
  if (shared > 0 && shared < disks.length) {
    const text = `VM ${vm.name} has disks that both hosts may reach and others that would be copied`;
    concerns.push(refusal('lun-mixed', text));
  }
  if (disks.length === 0) concerns.push(refusal('no-disk', `VM ${vm.name} has no disk to move`));
  return { disks, concerns };
}

/** What the configuration itself gives to think about. */
export function concernsOf(vm: FoundVm): Concern[] {
  const own = vm.config === null ? [] : configConcerns(vm.config);
  if (vm.problem !== null) own.push(refusal('config-syntax', vm.problem));
  return own;
}

function notFound(host: Host, uuid: string): SealiftError {
  const here = host.file.name;
  const record = host.deeds.byVm(uuid);
  if (record?.state !== 'holder' || record.places === null)
    return new SealiftError('unknown-vm', `${here} has no VM with the uuid ${uuid}`);
  return new SealiftError('vm-aside', `${here} holds ${record.vmName}, which lies aside there and is not set up`, {
    hint: `what brings it up: sealift deed explain ${record.vmName}`,
  });
}

async function summary(host: Host, vm: FoundVm): Promise<VmSummary> {
  const record = vm.uuid === null ? null : host.deeds.byVm(vm.uuid);
  const named = vmName.safeParse(vm.name);
  return {
    vmUuid: vmUuid.safeParse(vm.uuid).data ?? null,
    vmName: named.success ? named.data : 'unnamed',
    state: vm.state,
    memoryBytes: vm.memoryBytes,
    diskBytes: await bytesOf(
      vm.disks.flatMap(({ cdrom, target }) => (cdrom || target === null ? [] : [{ path: target }])),
    ),
    autostart: vm.autostartPath !== null,
    fenced: record !== null && record.places !== null,
    deed: deedOf(host, record),
    problem: named.success ? vm.problem : `a name that Sealift does not take`,
  };
}

async function summaryOfRecord(host: Host, record: DeedRecord, domains: Domain[]): Promise<VmSummary> {
  const domain = domains.find((one) => one.uuid === record.vmUuid);
  return {
    vmUuid: record.vmUuid,
    vmName: record.vmName,
    state: domain?.state ?? 'stopped',
    memoryBytes: domain?.memoryBytes ?? 0,
    diskBytes: await bytesOf([...(record.places?.disks ?? []), ...(record.places?.luns ?? [])]),
    autostart: false,
    fenced: record.places !== null,
    deed: deedOf(host, record),
    problem: null,
  };
}

async function reportOfRecord(host: Host, vm: string, domains: Domain[]): Promise<VmReport> {
  const record = host.deeds.records().find((one) => one.vmUuid === vm || one.vmName === vm);
  if (record === undefined) throw new SealiftError('unknown-vm', `${host.file.name} has no VM ${vm}`);
  const disks: ExaminedDisk[] = [];
  const { disks: copied = [], luns = [] } = record.places ?? {};
  for (const disk of [...copied, ...luns]) {
    const shape = await shapeNow(disk);
    disks.push({
      ...disk,
      ...(shape ?? { sizeBytes: 1, sectorBytes: 512 }),
      problem: shape === null ? 'cannot be read' : null,
    });
  }
  return {
    summary: await summaryOfRecord(host, record, domains),
    disks: disks.map(shownDisk),
    concerns: [],
    marks: await marksOf(disks),
    ranSince: ranSince(host, record),
    run: runToAbort(host, record),
  };
}

function shownDisk({ vdev, sizeBytes, sectorBytes, path, lun, problem }: ExaminedDisk): VmReport['disks'][number] {
  return { vdev, sizeBytes, sectorBytes, path, ...(lun === undefined ? {} : { lun: lun.id }), problem };
}

/** The run whose abort brings the VM back: the one in progress, or the last one, whose end was cut short. */
export function runToAbort(host: Pick<Host, 'deeds' | 'file'>, record: DeedRecord | null): VmReport['run'] {
  if (record === null) return null;
  const last = host.deeds.runs(record.lineage).at(-1);
  const run = host.deeds.inProgress(record.lineage) ?? (isCutShort(record, last) ? last : undefined);
  if (run === undefined) return null;
  const peer = host.file.peer.find(({ identity }) => identity === run.peer);
  return { migrationId: run.migrationId, peer: peer?.name ?? null };
}

/** The run by which the VM came here, if it came by the record's token. */
export function cameBy(host: Host, { lineage, token }: DeedRecord): DeedRun | undefined {
  return host.deeds.runs(lineage).find((one) => one.token === token && one.role === 'destination');
}

/** Since when a VM has written what a revert would leave behind; null when it was not started, or takes its LUNs along. */
export function leftBehindSince(notes: RunNotes | null): string | null {
  return notes === null || notes.luns.length > 0 ? null : notes.startedAt;
}

function ranSince(host: Host, record: DeedRecord): string | null {
  const run = cameBy(host, record);
  return run === undefined ? null : leftBehindSince(findNotes(host.deeds, run.migrationId));
}

function deedOf(host: Host, record: DeedRecord | null): VmSummary['deed'] {
  if (record === null) return null;
  const { lineage, token, state, runToken, peer } = record;
  const named = (identity: string | null): string | null => (identity === null ? null : peerName(host.file, identity));
  const gone = host.deeds.runs(lineage).findLast((run) => run.role === 'source' && run.state === 'ceded');
  const ceded = gone === undefined ? null : { token: gone.token, peer: named(gone.peer), released: gone.released };
  return { lineage, token, state, runToken, peer: named(peer), ceded };
}

/** The marks beside disks, one line each; a mark that cannot be read is a line too. */
async function marksOf(disks: ExaminedDisk[]): Promise<string[]> {
  const lines: string[] = [];
  for (const { path, volume, lun } of disks) {
    try {
      if (lun !== undefined) {
        const said = await reservationWords(lun);
        if (said !== null) lines.push(`${path}: ${said}`);
        continue;
      }
      const mark = await readMark({ path, volume });
      if (mark !== null)
        lines.push(`${path}: ${mark.role} of ${mark.vmName}, lineage ${mark.lineage}, token ${String(mark.token)}`);
    } catch (error) {
      lines.push(`${path}: ${error instanceof Error ? error.message : 'unreadable mark'}`);
    }
  }
  return lines;
}

async function bytesOf(disks: Place[]): Promise<number> {
  const shapes = await Promise.all(disks.map(shapeNow));
  return shapes.reduce((sum, shape) => sum + (shape?.sizeBytes ?? 0), 0);
}

async function pathsOfOthers(vm: FoundVm, all: FoundVm[]): Promise<Map<string, string>> {
  const users = new Map<string, string>();
  for (const other of all) {
    if (other.name === vm.name && other.uuid === vm.uuid) continue;
    for (const { target } of other.disks) {
      if (target === null) continue;
      const place: Awaited<ReturnType<typeof diskPlace>> = (await diskPlace(target).catch(notThere)) ?? {
        path: target,
      };
      users.set(place.lun?.id ?? place.path, other.name);
    }
  }
  return users;
}
