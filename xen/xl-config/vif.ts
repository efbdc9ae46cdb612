import { SealiftError } from '../../domain/error.ts';
import type { XlConfig, XlVif } from './types.ts';
import { configList, setConfig, settingPlace } from './values.ts';

/** The vifs of a configuration, in order. Throws 'config-syntax'. */
export function configVifs(config: XlConfig): XlVif[] {
  const place = settingPlace(config, 'vif');
  return configList(config, 'vif').map((spec, index) => parseXlVif(spec, `${place}: vif ${String(index)}`));
}

/** A copy of the configuration with these vifs in place of its own. */
export function setConfigVifs(config: XlConfig, vifs: XlVif[]): XlConfig {
  return setConfig(config, 'vif', vifs.map(writeXlVif));
}

/** Reads one specification of xl-network-configuration(5): `name=value` parted by commas, spaces before a name left out. */
export function parseXlVif(spec: string, name = 'vif'): XlVif {
  const vif: XlVif = { ...noVif, others: [] };
  for (const part of spec.split(',').map((one) => one.replace(/^[ \t\n]+/, ''))) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const key = known.find((one) => equals !== -1 && one === part.slice(0, equals));
    if (key === undefined) vif.others.push(part);
    else vif[key] = key === 'mac' ? readMac(part.slice(equals + 1), name) : part.slice(equals + 1);
  }
  return vif;
}

/** Writes a vif so that `xl` and `parseXlVif` read the same. */
export function writeXlVif(vif: XlVif): string {
  const named = known.flatMap((key) => (vif[key] === null ? [] : [`${key}=${vif[key]}`]));
  return [...named, ...vif.others].join(',');
}

const known = ['mac', 'bridge', 'script', 'ip', 'model', 'type', 'vifname', 'backend'] as const;
const noVif: Omit<XlVif, 'others'> = {
  mac: null,
  bridge: null,
  script: null,
  ip: null,
  model: null,
  type: null,
  vifname: null,
  backend: null,
};

/** A MAC address in lower case with two digits a byte; xl itself takes fewer digits. */
function readMac(text: string, name: string): string {
  const bytes = text.trim().split(/[:-]/);
  if (bytes.length !== 6 || !bytes.every((byte) => /^[0-9a-f]{1,2}$/i.test(byte))) {
    throw new SealiftError('config-syntax', `${name}: mac is not an address`);
  }
  return bytes.map((byte) => byte.toLowerCase().padStart(2, '0')).join(':');
}
