import { join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import { notThere } from '../dom0/system-errors.ts';
import type { HostFile } from '../domain/host-file.ts';
import { refusal } from '../domain/concern.ts';
import { SealiftError } from '../domain/error.ts';
import type { Concern } from '../domain/survey.ts';
import { isXensOwnScript } from '../xen/fit.ts';
import { dom0Files, translateConfig } from '../xen/translate.ts';
import type { Translated } from '../xen/translate.ts';
import { configVifs } from '../xen/xl-config/vif.ts';
import { parseXlConfig } from '../xen/xl-config/parse.ts';
import { readXlConf } from '../xen/xl-conf.ts';

/** A VM as another host describes it, with the places that its disks have here. */
export interface ForeignVm {
  vmUuid: string;
  vmName: string;
  config: string;
  disks: { vdev: string; path: string }[];
}

/**
 * What this host makes of a configuration of another one by its own maps and policy, and what it has against it: what the
 * translation refuses, and files and bridges that it would need and does not have. Throws 'config-syntax'.
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
  const missing = [...(await missingFiles(file.name, translated)), ...(await missingBridges(file, translated))];
  return { ...translated, concerns: [...translated.concerns, ...missing] };
}

/** The same, refusing it where this host has something against it. Throws 'preflight-refused', 'config-syntax'. */
export async function translated(file: HostFile, vm: ForeignVm): Promise<Pick<Translated, 'config' | 'changes'>> {
  const { config, changes, concerns } = await translateForeign(file, vm);
  const refused = concerns.filter((concern) => concern.severity === 'refuses');
  if (refused.length === 0) return { config, changes };
  throw new SealiftError(
    'preflight-refused',
    `${file.name} cannot run ${vm.vmName}: ${refused.map(({ text }) => text).join('; ')}`,
    { hint: refused[0]?.remedy ?? 'map what it names in the file of the destination ([xen])' },
  );
}

async function missingFiles(host: string, { config }: Translated): Promise<Concern[]> {
  const concerns: Concern[] = [];
  for (const { what, path } of dom0Files(config)) {
    if (await leadsSomewhere(path)) continue;
    const text = `${what} leads to a file that is not on ${host}`;
    concerns.push(refusal('dom0-file-missing', text));
  }
  return concerns;
}

/** Only of vifs that Xen's own script puts on a bridge: to another script the name may mean anything. Open vSwitch writes a VLAN behind it. */
async function missingBridges({ name, xen }: HostFile, { config }: Translated): Promise<Concern[]> {
  const concerns: Concern[] = [];
  if (!isXensOwnScript((await readXlConf({ etcFolder: xen.etc })).vifScript)) return concerns;
  for (const [index, { bridge, script }] of configVifs(config).entries()) {
    if (bridge === null || script !== null) continue;
    const names = [bridge, bridge.split(/[.:]/)[0] ?? bridge];
    const there = await Promise.all(names.map((one) => leadsSomewhere(join(xen.net, one))));
    if (there.includes(true)) continue;
    const text = `vif ${String(index)} would be on the bridge ${bridge}, which is not on ${name}`;
    concerns.push(refusal('bridge-missing', text));
  }
  return concerns;
}

/** Whether a path leads to something that this process may see, links followed. */
export async function leadsSomewhere(path: string): Promise<boolean> {
  return (await dom0().stat(path).catch(notThere)) !== null;
}
