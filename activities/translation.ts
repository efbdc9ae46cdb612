import { access } from 'node:fs/promises';
import type { HostFile } from '../domain/host-file.ts';
import type { Concern } from '../domain/survey.ts';
import { dom0Files, translateConfig } from '../xen/translate.ts';
import type { Translated } from '../xen/translate.ts';
import { parseXlConfig } from '../xen/xl-config/parse.ts';

/** A VM as another host describes it, with the places that its disks have here. */
export interface ForeignVm {
  vmUuid: string;
  vmName: string;
  config: string;
  disks: { vdev: string; path: string }[];
}

/**
 * What this host makes of a configuration of another one by its own maps and policy, and what it has against it: what the
 * translation refuses, and files that it would need and does not have. Throws 'config-syntax'.
 */
export async function translateForeign(file: HostFile, vm: ForeignVm): Promise<Translated> {
  const { xen } = file;
  const translated = translateConfig(parseXlConfig(vm.config, vm.vmName), {
    disks: vm.disks,
    bridges: xen.bridges,
    defaultBridge: xen.default_bridge ?? null,
    uuid: vm.vmUuid,
    name: vm.vmName,
    paths: xen.paths,
    allow: { bootloaders: xen.allow.bootloaders, vifScripts: xen.allow.vif_scripts },
  });
  return { ...translated, concerns: [...translated.concerns, ...(await missingFiles(file.name, translated))] };
}

async function missingFiles(host: string, { config }: Translated): Promise<Concern[]> {
  const concerns: Concern[] = [];
  for (const { what, path } of dom0Files(config)) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) continue;
    const text = `${what} leads to a file that is not on ${host}`;
    const remedy = 'put the file there, or map to another one in the file of the destination ([xen.paths])';
    concerns.push({ name: 'dom0-file-missing', severity: 'refuses', text, remedy });
  }
  return concerns;
}
