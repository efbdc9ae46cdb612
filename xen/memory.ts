import { memoryBytesOf } from './at-rest.ts';
import { guestType } from './guest-type.ts';
import type { XlConfig } from './xl-config/types.ts';
import { configNumber } from './xl-config/values.ts';

const [kibibyte, mebibyte] = [2 ** 10, 2 ** 20];

/**
 * What Xen surely takes to start a guest, in bytes: its memory and, for HVM and PVH, the pool for its page tables, of which libxl
 * asks at least for one MiB a virtual processor and one page a MiB of memory. What libxl leaves free beside that (one or two MiB)
 * is not among it. Throws 'config-syntax'.
 */
export function startBytes(config: XlConfig): number {
  const memory = memoryBytesOf(config);
  if (guestType(config) === 'pv') return memory;
  const given = configNumber(config, 'shadow_memory');
  if (given !== null) return memory + given * mebibyte;
  const vcpus = configNumber(config, 'maxvcpus') ?? configNumber(config, 'vcpus') ?? 1;
  const maximum = Math.max(memory, (configNumber(config, 'maxmem') ?? 0) * mebibyte);
  return memory + vcpus * mebibyte + (maximum / mebibyte) * 4 * kibibyte;
}
