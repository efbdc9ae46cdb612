import { join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import { isAway } from '../dom0/system-errors.ts';
import type { Dom0 } from './dom0.ts';
import { parseXlConfig } from './xl-config/parse.ts';
import type { XlConfig } from './xl-config/types.ts';
import { configKeys, configNumber, configString } from './xl-config/values.ts';

/** What a host says to all of its guests in xl.conf(5), where their configurations are silent. */
export interface XlConf {
  /** Whether xl asks dom0 for memory that a new guest lacks; `auto`: unless dom0_mem= is on the command line of Xen. */
  autoballoon: 'auto' | 'on' | 'off';
  /** Whether xl claims all memory of a guest before it builds it. */
  claims: boolean;
  maxGrantFrames: number | null;
  maxMaptrackFrames: number | null;
  vifBridge: string | null;
  vifScript: string | null;
  /** The settings that confine guests to some processors, by name. */
  cpuMasks: string[];
}

/** Reads a host's xl.conf; one that is not there, or that xl itself would not read, says nothing. */
export async function readXlConf({ etcFolder }: Pick<Dom0, 'etcFolder'>): Promise<XlConf> {
  try {
    return xlConf(parseXlConfig((await dom0().readFile(join(etcFolder, 'xl.conf'))).toString('utf8'), 'xl.conf'));
  } catch (error) {
    if (isAway(error)) throw error;
    return xlConf({ name: 'xl.conf', entries: [] });
  }
}

function xlConf(config: XlConfig): XlConf {
  const balloon = configString(config, 'autoballoon') ?? 'auto';
  return {
    autoballoon: ['on', '1'].includes(balloon) ? 'on' : ['off', '0'].includes(balloon) ? 'off' : 'auto',
    claims: configNumber(config, 'claim_mode') !== 0,
    maxGrantFrames: configNumber(config, 'max_grant_frames'),
    maxMaptrackFrames: configNumber(config, 'max_maptrack_frames'),
    vifBridge: configString(config, 'vif.default.bridge'),
    vifScript: configString(config, 'vif.default.script'),
    cpuMasks: configKeys(config).filter((key) => /^vm\.((hvm|pv)\.)?cpumask$/.test(key)),
  };
}
