import { refusal, warning } from '../domain/concern.ts';
import { isSealiftError } from '../domain/error.ts';
import type { Concern } from '../domain/survey.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { startBytes } from '../xen/memory.ts';
import type { Domain, ToolstackInfo } from '../xen/toolstack.ts';
import { readXlConf } from '../xen/xl-conf.ts';
import type { XlConf } from '../xen/xl-conf.ts';
import type { Host } from './host.ts';
import { mebibytes } from './mebibytes.ts';
import { findNotes } from './notes.ts';

/** libxl leaves dom0 at least this much when it takes memory from it. */
const dom0LeastBytes = 128 * 2 ** 20;

/** What the VM takes when it is started, which a balloon may have made more than it holds now. */
export function neededBytes({ config, memoryBytes }: FoundVm): number {
  if (config === null) return memoryBytes;
  try {
    return startBytes(config);
  } catch (error) {
    if (isSealiftError(error)) return memoryBytes;
    throw error;
  }
}

/**
 * What this host's memory has against starting a VM of another host here, which takes `memoryBytes` (0: it is not started).
 * Refuses only when Xen could not start it: where xl would take the memory from dom0, or other landings would take it, it warns.
 */
export async function memoryConcerns(
  host: Host,
  vm: { vmUuid: string; vmName: string; memoryBytes: number },
  domains: Domain[],
): Promise<Concern[]> {
  if (vm.memoryBytes === 0) return [];
  const [info, conf] = await Promise.all([host.toolstack.info(), readXlConf(host.dom0)]);
  const needs = `${vm.vmName} takes ${mebibytes(vm.memoryBytes, Math.ceil)} MiB of memory`;
  const has = `${host.file.name} has ${mebibytes(info.freeMemoryBytes, Math.floor)} MiB free`;
  if (vm.memoryBytes <= info.freeMemoryBytes) {
    const promised = promisedBytes(host, vm.vmUuid, domains);
    if (vm.memoryBytes + promised <= info.freeMemoryBytes) return [];
    const others = `other VMs on their way there take ${mebibytes(promised, Math.ceil)} MiB`;
    return [warning('memory-promised', `${needs}, ${others}, ${has}`)];
  }
  if (takesFromDom0(conf, info)) {
    const guests = domains.reduce((sum, domain) => sum + domain.memoryBytes, 0);
    if (vm.memoryBytes <= info.totalMemoryBytes - guests - dom0LeastBytes) {
      return [warning('dom0-shrinks', `${needs}, ${has}: its dom0 would have to give up the rest`)];
    }
  }
  return [refusal('no-memory', `${needs}, ${has}`)];
}

/** What VMs on their way here will take when they are started. */
function promisedBytes(host: Host, except: string, domains: Domain[]): number {
  let bytes = 0;
  for (const { role, migrationId } of host.deeds.openRuns()) {
    if (role !== 'destination') continue;
    const { vmUuid } = host.deeds.byMigration(migrationId).record;
    if (vmUuid === except || domains.some(({ uuid }) => uuid === vmUuid)) continue;
    bytes += findNotes(host.deeds, migrationId)?.memoryBytes ?? 0;
  }
  return bytes;
}

/** As xl decides it: tools/xl/xl.c, auto_autoballoon. */
function takesFromDom0({ autoballoon }: XlConf, { commandLine }: ToolstackInfo): boolean {
  return autoballoon === 'on' || (autoballoon === 'auto' && !/(^| )dom0_mem=/.test(commandLine));
}
