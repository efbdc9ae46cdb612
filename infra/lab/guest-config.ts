import { randomBytes, randomUUID } from 'node:crypto';
import { configDisks } from '../../xen/xl-config/disk.ts';
import { parseXlConfig } from '../../xen/xl-config/parse.ts';
import type { XlConfig, XlDisk } from '../../xen/xl-config/types.ts';
import { configNumber, configString } from '../../xen/xl-config/values.ts';
import { configVifs } from '../../xen/xl-config/vif.ts';
import { XlFailure } from './xl-failure.ts';

/** What the toolstack does when a guest has shut down: on_poweroff and its kin of xl.cfg(5). */
export type ShutdownAction =
  'destroy' | 'restart' | 'rename-restart' | 'preserve' | 'coredump-destroy' | 'coredump-restart' | 'soft_reset';

export type GuestDisk = Pick<XlDisk, 'vdev' | 'target' | 'format' | 'access' | 'cdrom' | 'script'>;

/** What libxl makes of an xl configuration: defaults filled in, nothing left to look up. */
export interface GuestConfig {
  name: string;
  uuid: string;
  type: 'pv' | 'pvh' | 'hvm';
  memoryKb: number;
  maxMemoryKb: number;
  vcpus: number;
  maxVcpus: number;
  kernel: string | null;
  ramdisk: string | null;
  cmdline: string | null;
  bootloader: string | null;
  disks: GuestDisk[];
  nics: { mac: string; bridge: string }[];
  onPoweroff: ShutdownAction;
  onReboot: ShutdownAction;
  onWatchdog: ShutdownAction;
  onCrash: ShutdownAction;
  onSoftReset: ShutdownAction;
}

/**
 * Reads an xl configuration as `xl create` does; what it leaves out (uuid, MAC addresses) is drawn anew each time. A text
 * that xl would refuse throws XlFailure with xl's text and exit code 1.
 */
export function readGuestConfig(text: string, fileName: string): GuestConfig {
  const config = parsed(text, fileName);
  try {
    return fromXlConfig(config);
  } catch (error) {
    if (error instanceof XlFailure || !(error instanceof Error)) throw error;
    throw new XlFailure(1, error.message);
  }
}

function parsed(text: string, fileName: string): XlConfig {
  try {
    return parseXlConfig(text, fileName);
  } catch (error) {
    const place = error instanceof Error ? /:(\d+):(\d+): (.*)$/s.exec(error.message) : null;
    if (place === null) throw error;
    const near = (text.split('\n')[Number(place[1]) - 1] ?? '').slice(Number(place[2]) - 1);
    const token = /^([a-z0-9_]+|"[^"]*"|'[^']*'|.)/i.exec(near)?.[0];
    const expecting = (place[3] ?? '').startsWith('expected a string') ? ", expecting STRING or NUMBER or '['" : '';
    // Of a line's end xl tells the line before.
    const line = String(Number(place[1]) - (token === undefined ? 1 : 0));
    throw new XlFailure(
      1,
      `${fileName}:${line}: config parsing error near ${token === undefined ? '<newline>' : `\`${token}'`}: syntax error, unexpected ${bisonName(token)}${expecting}`,
      'Failed to parse config: Invalid argument',
    );
  }
}

function bisonName(token: string | undefined): string {
  if (token === undefined) return 'NEWLINE';
  if (/^["']/.test(token)) return 'STRING';
  if (/^\d/.test(token)) return 'NUMBER';
  return /^[a-z]/.test(token) ? 'IDENT' : `'${token}'`;
}

function fromXlConfig(config: XlConfig): GuestConfig {
  const name = configString(config, 'name');
  if (name === null) throw new XlFailure(1, 'Domain name must be specified.');
  const type = guestType(config);
  const kernel = configString(config, 'kernel');
  const bootloader = configString(config, 'bootloader');
  if (type !== 'hvm' && kernel === null && bootloader === null)
    throw new XlFailure(1, 'Neither kernel nor bootloader specified');
  const memoryKb = (configNumber(config, 'memory') ?? 32) * 1024;
  const vcpus = configNumber(config, 'vcpus') ?? 1;
  return {
    name,
    uuid: guestUuid(configString(config, 'uuid')),
    type,
    memoryKb,
    maxMemoryKb: (configNumber(config, 'maxmem') ?? memoryKb / 1024) * 1024,
    vcpus,
    maxVcpus: configNumber(config, 'maxvcpus') ?? vcpus,
    kernel,
    ramdisk: configString(config, 'ramdisk'),
    cmdline: commandLine(config),
    bootloader,
    disks: configDisks(config).map(({ vdev, target, format, access, cdrom, script }) => ({
      vdev,
      target,
      format,
      access,
      cdrom,
      script,
    })),
    nics: configVifs(config).map(({ mac, bridge }) => ({ mac: mac ?? newMac(), bridge: bridge ?? 'xenbr0' })),
    onPoweroff: action(config, 'on_poweroff', 'destroy'),
    onReboot: action(config, 'on_reboot', 'restart'),
    onWatchdog: action(config, 'on_watchdog', 'destroy'),
    onCrash: action(config, 'on_crash', 'destroy'),
    onSoftReset: action(config, 'on_soft_reset', 'soft_reset'),
  };
}

function guestType(config: XlConfig): GuestConfig['type'] {
  const builder = configString(config, 'builder');
  const type = configString(config, 'type') ?? (builder === 'hvm' ? 'hvm' : 'pv');
  if (type !== 'pv' && type !== 'pvh' && type !== 'hvm') throw new XlFailure(1, `Invalid domain type: ${type}`);
  return type;
}

function guestUuid(written: string | null): string {
  if (written === null) return randomUUID();
  const digits = written.replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) throw new XlFailure(1, `Failed to parse UUID: ${written}`);
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** `cmdline` takes the place of `root` and `extra`, as in xl. */
function commandLine(config: XlConfig): string | null {
  const whole = configString(config, 'cmdline');
  if (whole !== null) return whole;
  const root = configString(config, 'root');
  const extra = configString(config, 'extra');
  return root === null ? extra : [`root=${root}`, ...(extra === null ? [] : [extra])].join(' ');
}

const actions: ShutdownAction[] = [
  'destroy',
  'restart',
  'rename-restart',
  'preserve',
  'coredump-destroy',
  'coredump-restart',
  'soft_reset',
];

function action(config: XlConfig, key: string, otherwise: ShutdownAction): ShutdownAction {
  const written = configString(config, key)?.replace('soft-reset', 'soft_reset');
  if (written === undefined) return otherwise;
  const known = actions.find((one) => one === written);
  if (known === undefined) throw new XlFailure(1, `Unknown ${key} action "${written}" specified`);
  return known;
}

/** An address of Xen's own range, as libxl draws it. */
function newMac(): string {
  const tail = [...randomBytes(3)].map((byte, index) =>
    (index === 0 ? byte & 0x7f : byte).toString(16).padStart(2, '0'),
  );
  return ['00', '16', '3e', ...tail].join(':');
}
