import { createHash } from 'node:crypto';
import { readRunningConfig } from './running-config.ts';
import type { XlConfig } from './xl-config/types.ts';
import { configNumber, configString, setConfig } from './xl-config/values.ts';
import { configVifs, setConfigVifs } from './xl-config/vif.ts';
import type { XlConf } from './xl-conf.ts';

/**
 * Writes into a configuration, at its source, what the file leaves to chance or to the host: the uuid, the MAC addresses,
 * bridges and grant limits of the running domain (`FoundVm.running`), or those of `conf` when none is there (null); a MAC that
 * nobody knows is made from the uuid, so that doing it twice gives the same. `changes` holds one line for each, without paths.
 */
export function pinConfig(
  config: XlConfig,
  uuid: string,
  running: unknown,
  conf: XlConf,
): { config: XlConfig; changes: string[] } {
  const changes: string[] = [];
  const inForce = running === null ? null : readRunningConfig(running);
  let pinned = config;
  if (configString(config, 'uuid')?.toLowerCase() !== uuid) {
    pinned = setConfig(pinned, 'uuid', uuid);
    changes.push('uuid pinned');
  }
  const vifs = configVifs(pinned);
  const pinnedVifs = vifs.map((vif, index) => {
    const mac = vif.mac ?? inForce?.vifs[index]?.mac ?? macFor(uuid, index);
    const bridge = vif.bridge ?? (inForce === null ? conf.vifBridge : inForce.vifs[index]?.bridge) ?? null;
    if (vif.mac === null) changes.push(`vif ${String(index)}: mac was random, pinned to ${mac}`);
    if (vif.bridge === null && bridge !== null)
      changes.push(`vif ${String(index)}: bridge was the host's default, pinned`);
    return { ...vif, mac, bridge };
  });
  if (vifs.some((vif, index) => vif.mac !== pinnedVifs[index]?.mac || vif.bridge !== pinnedVifs[index].bridge)) {
    pinned = setConfigVifs(pinned, pinnedVifs);
  }
  const { maxGrantFrames, maxMaptrackFrames } = inForce ?? conf;
  for (const [key, value] of [
    ['max_grant_frames', maxGrantFrames],
    ['max_maptrack_frames', maxMaptrackFrames],
  ] as const) {
    if (value === null || configNumber(pinned, key) !== null) continue;
    pinned = setConfig(pinned, key, String(value));
    changes.push(`${key} was the host's default, pinned`);
  }
  return { config: pinned, changes };
}

/** A MAC of Xen's range for a vif of a VM: always the same, so that a step done twice changes nothing. */
export function macFor(uuid: string, index: number): string {
  const [a = 0, b = 0, c = 0] = createHash('sha256')
    .update(`${uuid} vif ${String(index)}`)
    .digest();
  return `00:16:3e:${[a & 0x7f, b, c].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}
