import type { XlConfig } from './xl-config/types.ts';
import { configString } from './xl-config/values.ts';

/** What kind of guest a configuration makes: by `type`, or by `builder` as it was written before Xen 4.10. */
export function guestType(config: XlConfig): 'pv' | 'pvh' | 'hvm' {
  const type = configString(config, 'type');
  if (type === 'hvm' || type === 'pvh' || type === 'pv') return type;
  return configString(config, 'builder') === 'hvm' ? 'hvm' : 'pv';
}
