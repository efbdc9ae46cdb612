import { join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import { notThere } from '../dom0/system-errors.ts';
import { refusal, warning } from '../domain/concern.ts';
import type { Concern } from '../domain/survey.ts';
import { findVms } from '../xen/dom0.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { fitConcerns } from '../xen/fit.ts';
import { readRunningConfig } from '../xen/running-config.ts';
import type { XlConfig } from '../xen/xl-config/types.ts';
import { configString } from '../xen/xl-config/values.ts';
import { configVifs } from '../xen/xl-config/vif.ts';
import { readXlConf } from '../xen/xl-conf.ts';
import type { Host } from './host.ts';
import { leadsSomewhere } from './translation.ts';

/**
 * What this host as it is now has against running a configuration that it has translated, beside what the translation says: its
 * Xen and its processors, its bootloader, and the MAC addresses of its own VMs. Throws 'config-syntax', what `xl` fails with.
 */
export async function hereConcerns(
  host: Pick<Host, 'file' | 'dom0' | 'toolstack'>,
  { vmUuid, config }: { vmUuid: string; config: XlConfig },
): Promise<Concern[]> {
  const { name } = host.file;
  const [info, conf, vms] = await Promise.all([
    host.toolstack.info(),
    readXlConf(host.dom0),
    findVms(host.dom0, host.toolstack),
  ]);
  return [
    ...fitConcerns(config, { name, info, conf }),
    ...(await bootloaderConcerns(name, config)),
    ...macConcerns(
      name,
      config,
      vms.filter(({ uuid }) => uuid !== vmUuid),
    ),
  ];
}

/** One that is named by its path is looked for with the other files of dom0. */
async function bootloaderConcerns(host: string, config: XlConfig): Promise<Concern[]> {
  const program = configString(config, 'bootloader');
  if (program === null || program === '' || program.includes('/')) return [];
  for (const folder of await programFolders()) if (await leadsSomewhere(join(folder, program))) return [];
  return [warning('bootloader-missing', `${host} allows the bootloader, but it is not found there`)];
}

/** Where Xen keeps programs of its own (Debian has one folder for each version), and PATH. */
async function programFolders(): Promise<string[]> {
  const versions = (await dom0().readdir('/usr/lib').catch(notThere)) ?? [];
  const own = versions.filter((entry) => /^xen(-|$)/.test(entry)).map((entry) => join('/usr/lib', entry, 'bin'));
  const others = ['/usr/libexec/xen/bin', '/usr/local/lib/xen/bin', '/usr/local/libexec/xen/bin'];
  return [...own, ...others, ...dom0().programFolders];
}

function macConcerns(host: string, config: XlConfig, vms: FoundVm[]): Concern[] {
  const users = new Map(vms.flatMap((vm) => macsOf(vm).map((mac) => [mac, vm.name] as const)));
  return configVifs(config).flatMap(({ mac }, index) => {
    const user = mac === null ? undefined : users.get(mac);
    if (user === undefined) return [];
    return [refusal('mac-taken', `vif ${String(index)} has the MAC address of another VM on ${host}: ${user}`)];
  });
}

/** Of a domain as it runs, and of the configuration that it would be started from. */
function macsOf({ config, running }: FoundVm): string[] {
  const vifs = [...(config === null ? [] : vifsOrNone(config)), ...(readRunningConfig(running)?.vifs ?? [])];
  return vifs.flatMap(({ mac }) => (mac === null ? [] : [mac]));
}

/** Another VM whose vifs do not parse cannot be started either. */
function vifsOrNone(config: XlConfig): ReturnType<typeof configVifs> {
  try {
    return configVifs(config);
  } catch {
    return [];
  }
}
