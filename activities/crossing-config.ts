import { SealiftError } from '../domain/error.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { pinConfig } from '../xen/pin.ts';
import { writeXlConfig } from '../xen/xl-config/write.ts';
import type { Host } from './host.ts';

/** The text of a VM's configuration as it crosses: with what the file leaves to chance pinned. Throws `config-syntax`. */
export function crossingConfig(host: Host, found: FoundVm, vmUuid: string): string {
  if (found.config === null) {
    throw new SealiftError('config-syntax', `${found.name} has no readable configuration on ${host.file.name}`);
  }
  return writeXlConfig(pinConfig(found.config, vmUuid, found.running).config);
}
