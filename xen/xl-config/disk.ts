import { SealiftError } from '../../domain/error.ts';
import type { XlConfig, XlDisk } from './types.ts';
import { configList, setConfig, settingPlace } from './values.ts';

/** The disks of a configuration, in order. Throws 'config-syntax', also when two carry one vdev, as xl itself fails then. */
export function configDisks(config: XlConfig): XlDisk[] {
  const place = settingPlace(config, 'disk');
  const disks = configList(config, 'disk').map((spec, index) =>
    parseXlDisk(spec, `${place}: disk ${String(index + 1)}`),
  );
  const twice = disks.find((disk, index) => disks.findIndex((other) => other.vdev === disk.vdev) !== index);
  if (twice !== undefined) throw bad(place, `two disks are ${JSON.stringify(twice.vdev)}`);
  return disks;
}

/** A copy of the configuration with these disks in place of its own. */
export function setConfigDisks(config: XlConfig, disks: XlDisk[]): XlConfig {
  return setConfig(config, 'disk', disks.map(writeXlDisk));
}

/**
 * Reads one disk specification by the grammar of xl-disk-configuration(5) and libxlu_disk_l.l: positional target, format,
 * vdev and access, named parameters anywhere, old prefixes (`phy:`, `file:`, `tap:aio:`, …) taken off, `target=` taking the
 * rest. The format is raw unless it is named. Parameters that it does not know are kept. Throws 'config-syntax', which
 * names the parameter and never the target.
 */
export function parseXlDisk(spec: string, name = 'disk'): XlDisk {
  const draft: Draft = { others: [], prefixed: false, positions: 0 };
  let rest = spec;
  for (;;) {
    rest = rest.replace(/^[ \t\n]+/, '');
    if (rest === '') break;
    const prefix = /^(raw|qcow2?|vhd|iscsi|e?nbd|drbd|tapdisk|tap2?|aio|ioemu|file|phy):/.exec(rest);
    if (rest.startsWith('target=')) {
      save(draft, 'target', rest.slice('target='.length).replace(/,$/, ''), name);
      break;
    } else if (prefix !== null) {
      takePrefix(draft, prefix[1] ?? '', name);
      rest = rest.slice(prefix[0].length);
    } else if (/^[a-z][a-z0-9]*:[^a-z0-9]/.test(rest)) {
      throw bad(name, 'a prefix that xl does not know stands before the target');
    } else {
      const [parameter = ''] = rest.split(',', 1);
      rest = rest.slice(parameter.length + 1);
      takeParameter(draft, parameter, name);
    }
  }
  return finish(draft, name);
}

/** Writes a disk with every parameter named and the target last, so that the target may hold anything. */
export function writeXlDisk(disk: XlDisk): string {
  const parts = [`format=${disk.format}`, `vdev=${disk.vdev}`, `access=${disk.access}`];
  if (disk.cdrom) parts.push('devtype=cdrom');
  if (disk.backend !== null) parts.push(`backend=${disk.backend}`);
  if (disk.backendtype !== null) parts.push(`backendtype=${disk.backendtype}`);
  if (disk.script !== null) parts.push(`script=${disk.script}`);
  parts.push(...disk.others);
  // Reading takes one comma off the end of a target.
  if (disk.target !== null) parts.push(`target=${disk.target}${disk.target.endsWith(',') ? ',' : ''}`);
  return parts.join(',');
}

interface Draft {
  target?: string;
  format?: XlDisk['format'];
  vdev?: string;
  access?: XlDisk['access'];
  accessPlaced?: true;
  cdrom?: boolean;
  script?: string;
  backend?: string;
  backendtype?: string;
  others: string[];
  prefixed: boolean;
  positions: number;
}

const flags = new Set(['direct-io-safe', 'discard', 'no-discard', 'colo', 'no-colo', 'trusted', 'untrusted']);

function takeParameter(draft: Draft, parameter: string, name: string): void {
  const named = /^([a-z][-_a-z0-9]*)=(.*)$/s.exec(parameter);
  if (named !== null) {
    takeNamed(draft, named[1] ?? '', named[2] ?? '', name);
  } else if (parameter === 'cdrom') {
    draft.cdrom = true;
  } else if (flags.has(parameter)) {
    draft.others.push(parameter);
  } else if (parameter.includes('=')) {
    throw bad(name, 'a parameter is not of the form name=value; a target that holds "=" is written target=…, last');
  } else {
    takePositional(draft, parameter, name);
  }
}

function takeNamed(draft: Draft, key: string, value: string, name: string): void {
  if (key === 'format') setFormat(draft, value, name);
  else if (key === 'access') draft.access = readAccess(value, name);
  else if (key === 'vdev' || key === 'script' || key === 'backend') save(draft, key, value, name);
  else if (key === 'backendtype') setBackendtype(draft, value, name);
  else if (key !== 'devtype') draft.others.push(`${key}=${value}`);
  else if (value === 'cdrom' || value === 'disk') draft.cdrom = value === 'cdrom';
  else throw bad(name, 'devtype is neither cdrom nor disk');
}

/** The places of the old syntax: target, format (not after a prefix), vdev (`:cdrom` behind it), access. */
function takePositional(draft: Draft, value: string, name: string): void {
  if (draft.target === undefined) {
    draft.target = value;
  } else if (!draft.prefixed && draft.format === undefined) {
    if (draft.target === '' && takeVdevAndType(draft, value, name)) draft.format = 'empty';
    else setFormat(draft, value, name);
  } else if (draft.vdev === undefined) {
    if (!takeVdevAndType(draft, value, name)) draft.vdev = value;
  } else if (draft.accessPlaced === undefined) {
    draft.accessPlaced = true;
    draft.access = readAccess(value, name);
  } else {
    throw bad(name, 'too many positional parameters');
  }
}

function takeVdevAndType(draft: Draft, value: string, name: string): boolean {
  const colon = value.lastIndexOf(':');
  if (colon === -1) return false;
  const type = value.slice(colon + 1);
  if (type !== 'cdrom' && type !== 'disk') throw bad(name, 'the type behind the vdev is neither cdrom nor disk');
  save(draft, 'vdev', value.slice(0, colon), name);
  draft.cdrom = type === 'cdrom';
  return true;
}

function takePrefix(draft: Draft, prefix: string, name: string): void {
  draft.prefixed = true;
  if (/^(raw|qcow2?|vhd)$/.test(prefix)) setFormat(draft, prefix, name);
  else if (/^(iscsi|e?nbd|drbd)$/.test(prefix)) save(draft, 'script', `block-${prefix}`, name);
}

function setFormat(draft: Draft, value: string, name: string): void {
  const format = formats.find((known) => known === (value === '' ? 'raw' : value));
  if (format === undefined) throw bad(name, 'a format that xl does not know');
  if (draft.format !== undefined && draft.format !== format) throw bad(name, 'two formats are given');
  draft.format = format;
}
const formats = ['raw', 'qcow', 'qcow2', 'vhd', 'qed', 'empty'] as const;

function setBackendtype(draft: Draft, value: string, name: string): void {
  if (!['phy', 'tap', 'qdisk', 'standalone'].includes(value)) throw bad(name, 'a backendtype that xl does not know');
  if (draft.backendtype !== undefined && draft.backendtype !== value) throw bad(name, 'two backendtypes are given');
  draft.backendtype = value;
}

function readAccess(value: string, name: string): XlDisk['access'] {
  if (value === 'r' || value === 'ro') return 'r';
  if (value === 'w' || value === 'rw' || value === '') return 'w';
  if (value === 'w!') return 'w!';
  throw bad(name, 'access is none of r, ro, w, rw, w!');
}

function save(draft: Draft, key: 'target' | 'vdev' | 'script' | 'backend', value: string, name: string): void {
  if (draft[key] !== undefined && draft[key] !== '') throw bad(name, `${key} is given twice`);
  draft[key] = value;
}

function finish(draft: Draft, name: string): XlDisk {
  const cdrom = draft.cdrom ?? false;
  const target = draft.target ?? '';
  if (draft.vdev === undefined || draft.vdev === '') throw bad(name, 'no vdev is given');
  if (target === '' && !cdrom) throw bad(name, 'no target is given');
  const script = draft.script === undefined || draft.script === '' ? null : draft.script;
  // With a script the target is the script's to read; else one without a leading slash lies under /dev.
  const path = target === '' || target.startsWith('/') || script !== null ? target : `/dev/${target}`;
  return {
    vdev: draft.vdev,
    target: target === '' ? null : path,
    format: target === '' ? 'empty' : (draft.format ?? 'raw'),
    access: cdrom ? 'r' : (draft.access ?? 'w'),
    cdrom,
    script,
    backendtype: draft.backendtype ?? null,
    backend: draft.backend === undefined || draft.backend === '' ? null : draft.backend,
    others: draft.others,
  };
}

function bad(name: string, what: string): SealiftError {
  return new SealiftError('config-syntax', `${name}: ${what}`);
}
