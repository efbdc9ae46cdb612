import { concernKind } from '../domain/concern-kinds.ts';
import { concern, refusal, warning } from '../domain/concern.ts';
import type { Concern } from '../domain/survey.ts';
import { dom0Settings, machineSetting } from './dom0-settings.ts';
import { isXensOwnScript } from './fit.ts';
import { macFor } from './pin.ts';
import { configDisks, setConfigDisks } from './xl-config/disk.ts';
import type { XlConfig, XlDisk, XlValue, XlVif } from './xl-config/types.ts';
import { configKeys, configString, configValue, removeConfig, setConfig } from './xl-config/values.ts';
import { configVifs, setConfigVifs } from './xl-config/vif.ts';

/**
 * The files of dom0 that a configuration needs, disks aside, each with what names it: a host where one is missing would fail
 * to start the VM. Programs found on a path of their own (`pygrub`) are not among them.
 */
export function dom0Files(config: XlConfig): { what: string; path: string }[] {
  const files: { what: string; path: string }[] = [];
  const add = (what: string, value: XlValue | null): void => {
    if (Array.isArray(value)) for (const item of value) add(what, item);
    else if (value?.startsWith('/') === true) files.push({ what, path: value });
  };
  for (const key of configKeys(config)) {
    const value = configValue(config, key) ?? '';
    if (dom0Settings(key, value) !== null) add(key, value);
  }
  for (const disk of configDisks(config)) if (disk.cdrom) add(`cdrom ${disk.vdev}`, disk.target);
  for (const [index, vif] of configVifs(config).entries()) add(`the script of vif ${String(index)}`, vif.script);
  return files;
}

/** The destination's own maps and policy: what it puts in place of the names that another host used. */
export interface TranslateOptions {
  /** Where each disk landed. */
  disks: { vdev: string; path: string }[];
  /** Bridge there → bridge here. */
  bridges: Record<string, string>;
  /** For vifs whose bridge is not in the map; null leaves them out of the question: such a vif refuses. */
  defaultBridge: string | null;
  uuid: string;
  /** Default: the configuration's own. */
  name?: string;
  /** File there → file here: kernels, ramdisks, firmware, cdrom images, bootloaders by path. A file may be mapped to itself. */
  paths?: Record<string, string>;
  /** What the guests of others may have run in this dom0; by the exact text of the setting. Default: nothing. */
  allow?: { bootloaders?: string[]; vifScripts?: string[] };
}

export interface Translated {
  config: XlConfig;
  /** One line for every change, for people: names of settings, disks and vifs, never a path of either host. */
  changes: string[];
  /** `refuses` means: this host must not take the VM, for it could not start it as it was. */
  concerns: Concern[];
}

/**
 * Turns a configuration of another host into one of this host. Nothing that names a file, program, script or device of the
 * other host is left in it: mapped, allowed, dropped (a change) or refused (a concern). Pure: the same input gives the same.
 * Throws 'config-syntax' for disks or vifs that do not parse.
 */
export function translateConfig(config: XlConfig, options: TranslateOptions): Translated {
  const state: Translated = { config, changes: [], concerns: [] };
  identity(state, options);
  disks(state, options);
  vifs(state, options);
  for (const key of configKeys(config)) dom0Setting(state, key, options);
  return state;
}

function identity(state: Translated, { name, uuid }: TranslateOptions): void {
  if (name !== undefined && configString(state.config, 'name') !== name) {
    state.config = setConfig(state.config, 'name', name);
    state.changes.push(`name set to ${name}`);
  }
  if (configString(state.config, 'uuid')?.toLowerCase() !== uuid) {
    state.config = setConfig(state.config, 'uuid', uuid);
    state.changes.push('uuid pinned');
  }
}

function disks(state: Translated, options: TranslateOptions): void {
  const before = configDisks(state.config);
  const after = before.flatMap((disk) => (disk.cdrom ? cdrom(state, disk, options) : oneDisk(state, disk, options)));
  for (const { vdev } of options.disks) {
    if (before.some((disk) => disk.vdev === vdev && !disk.cdrom)) continue;
    state.concerns.push(refusal('disk-unnamed', `the disk ${vdev} landed but the configuration does not name it`));
  }
  if (before.length > 0) state.config = setConfigDisks(state.config, after);
}

/** What of a disk means the same on every host. */
const portable = new Set(['discard', 'no-discard', 'direct-io-safe', 'trusted', 'untrusted']);

function oneDisk(state: Translated, disk: XlDisk, options: TranslateOptions): XlDisk | [] {
  const landed = options.disks.find(({ vdev }) => vdev === disk.vdev);
  if (landed === undefined) {
    state.concerns.push(refusal('disk-not-landed', `the disk ${disk.vdev} did not land here`));
    return [];
  }
  const others = disk.others.filter((other) => portable.has(other));
  if (disk.target !== landed.path) state.changes.push(`disk ${disk.vdev}: lies in this host's storage`);
  if (disk.format !== 'raw') state.changes.push(`disk ${disk.vdev}: format ${disk.format} became raw`);
  if (disk.access !== 'w') state.changes.push(`disk ${disk.vdev}: access ${disk.access} became w`);
  for (const key of ['script', 'backend', 'backendtype'] as const) {
    if (disk[key] !== null) state.changes.push(`disk ${disk.vdev}: ${key} dropped`);
  }
  for (const other of disk.others.filter((one) => !portable.has(one))) {
    state.changes.push(`disk ${disk.vdev}: ${keyOf(other)} dropped`);
  }
  return {
    ...disk,
    target: landed.path,
    format: 'raw',
    access: 'w',
    script: null,
    backend: null,
    backendtype: null,
    others,
  };
}

function cdrom(state: Translated, disk: XlDisk, { paths = {} }: TranslateOptions): XlDisk {
  const bare: XlDisk = { ...disk, script: null, backend: null, backendtype: null, others: [] };
  if (disk.target === null) return bare;
  const here = own(paths, disk.target);
  if (here !== undefined) {
    if (here !== disk.target) state.changes.push(`cdrom ${disk.vdev}: its image was mapped`);
    return { ...bare, target: here };
  }
  state.changes.push(`cdrom ${disk.vdev}: emptied, its image is not on this host`);
  state.concerns.push(warning('cdrom-emptied', `the cdrom ${disk.vdev} holds an image that this host does not map`));
  return { ...bare, target: null, format: 'empty' };
}

function vifs(state: Translated, options: TranslateOptions): void {
  const before = configVifs(state.config);
  if (before.length > 0)
    state.config = setConfigVifs(
      state.config,
      before.map((vif, index) => oneVif(state, vif, index, options)),
    );
}

const portableVif = new Set(['rate', 'mtu', 'devid', 'trusted', 'untrusted']);

function oneVif(state: Translated, vif: XlVif, index: number, options: TranslateOptions): XlVif {
  const name = `vif ${String(index)}`;
  const change = (text: string): number => state.changes.push(`${name}: ${text}`);
  const mapped = mapBridge(vif.bridge, options.bridges);
  const bridge = mapped ?? options.defaultBridge;
  if (bridge === null) {
    const text = `${name} is on a bridge that this host does not map`;
    state.concerns.push(refusal('bridge-unmapped', text));
  } else if (bridge !== vif.bridge) {
    change(`bridge ${vif.bridge ?? '(default)'} → ${bridge}`);
  }
  if (mapped === undefined && bridge !== null && vif.bridge !== null && vif.bridge !== bridge) {
    const text = `${name} is on a bridge that this host does not map; it gets the default one`;
    state.concerns.push(warning('bridge-defaulted', text));
  }
  const mac = vif.mac ?? macFor(options.uuid, index);
  if (vif.mac === null) change(`mac was random, pinned to ${mac}`);
  const keepsScript = vif.script !== null && options.allow?.vifScripts?.includes(vif.script) === true;
  if (vif.script !== null && !keepsScript) {
    if (isXensOwnScript(vif.script)) {
      change('script dropped: it is the default one');
    } else {
      state.concerns.push(refusal('vif-script-not-allowed', `${name} has a script that this host does not allow`));
    }
  }
  if (vif.backend !== null) change('backend dropped');
  for (const other of vif.others.filter((one) => !portableVif.has(keyOf(one)))) change(`${keyOf(other)} dropped`);
  const others = vif.others.filter((one) => portableVif.has(keyOf(one)));
  return { ...vif, mac, bridge, script: keepsScript ? vif.script : null, backend: null, others };
}

/** A bridge that is one of this host's targets already stays: translating twice changes nothing. */
function mapBridge(bridge: string | null, bridges: Record<string, string>): string | undefined {
  if (bridge === null) return undefined;
  return own(bridges, bridge) ?? Object.values(bridges).find((one) => one === bridge);
}

function dom0Setting(state: Translated, key: string, { paths = {}, allow = {} }: TranslateOptions): void {
  const value = configValue(state.config, key) ?? '';
  const machine = machineSetting(key, value);
  if (machine !== null && concernKind(machine.name).severity === 'refuses') {
    state.concerns.push(concern(machine.name, `${key} gives the guest something of its old host`));
    drop(state, key);
    return;
  }
  const setting = dom0Settings(key, value);
  if (setting === null) return;
  if (key === 'bootloader' && typeof value === 'string' && allow.bootloaders?.includes(value) === true) return;
  const mapped = mapValue(value, paths);
  if (mapped !== null) {
    if (JSON.stringify(mapped) === JSON.stringify(value)) return;
    state.config = setConfig(state.config, key, mapped);
    state.changes.push(`${key}: mapped to ${setting.what} of this host`);
    return;
  }
  drop(state, key);
  const text = `${key} names ${setting.what} that this host does not map`;
  if (setting.without === 'dropped') state.concerns.push(warning('setting-dropped', text));
  else state.concerns.push(refusal(key === 'bootloader' ? 'bootloader-not-allowed' : 'unmapped-file', text));
}

function drop(state: Translated, key: string): void {
  state.config = removeConfig(state.config, key);
  state.changes.push(`${key} dropped`);
}

/** The value with every atom mapped, or null when one of them is not in the map. */
function mapValue(value: XlValue, paths: Record<string, string>): XlValue | null {
  if (typeof value === 'string') return own(paths, value) ?? null;
  const items = value.map((item) => mapValue(item, paths));
  return items.every((item) => item !== null) ? items : null;
}

/** What stands before the `=` of a parameter; only a plain word is shown to people. */
function keyOf(parameter: string): string {
  const [key = ''] = parameter.split('=', 1);
  return /^[a-z][-_a-z0-9]*$/.test(key) ? key : 'a parameter';
}

function own(map: Record<string, string>, key: string): string | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
