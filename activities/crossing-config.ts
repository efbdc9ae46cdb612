import { SealiftError } from '../domain/error.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { pinConfig } from '../xen/pin.ts';
import { readXlConf } from '../xen/xl-conf.ts';
import { writeXlConfig } from '../xen/xl-config/write.ts';
import type { Host } from './host.ts';

/** The text of a VM's configuration as it crosses: with what the file leaves to chance pinned. Throws `config-syntax`. */
export async function crossingConfig(host: Host, found: FoundVm, vmUuid: string): Promise<string> {
  if (found.config === null) {
    throw new SealiftError('config-syntax', `${found.name} has no readable configuration on ${host.file.name}`);
  }
  const conf = await readXlConf(host.dom0);
  return writeXlConfig(pinConfig(found.config, vmUuid, found.running, conf).config);
}
