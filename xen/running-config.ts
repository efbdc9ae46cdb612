import { z } from 'zod';
import type { XlDisk, XlVif } from './xl-config/types.ts';

/** libxl's JSON leaves out what has its default, and writes booleans as text. */
const flag = z.union([z.int(), z.boolean(), z.enum(['True', 'False', '<default>'])]).optional();
const disk = z.looseObject({
  vdev: z.string(),
  pdev_path: z.string().optional(),
  format: z.string().optional(),
  readwrite: z.int().optional(),
  is_cdrom: z.int().optional(),
  removable: z.int().optional(),
  script: z.string().optional(),
  backend: z.string().optional(),
  backend_domname: z.string().optional(),
  discard_enable: flag,
  direct_io_safe: flag,
});
const nic = z.looseObject({
  mac: z.string().optional(),
  bridge: z.string().optional(),
  vifname: z.string().optional(),
});
const running = z.looseObject({
  c_info: z.looseObject({ name: z.string().optional(), uuid: z.string().optional() }).optional(),
  b_info: z.looseObject({ max_grant_frames: z.int().optional(), max_maptrack_frames: z.int().optional() }).optional(),
  disks: z.array(disk).optional(),
  nics: z.array(nic).optional(),
  pcidevs: z.array(z.unknown()).optional(),
  usbdevs: z.array(z.unknown()).optional(),
  on_poweroff: z.string().optional(),
  on_reboot: z.string().optional(),
  on_watchdog: z.string().optional(),
  on_crash: z.string().optional(),
});

/** What Sealift needs of a configuration in force. */
export interface RunningConfig {
  uuid: string | null;
  disks: XlDisk[];
  vifs: Pick<XlVif, 'mac' | 'bridge'>[];
  /** How many PCI and USB devices of the machine the guest has. */
  devices: number;
  maxGrantFrames: number | null;
  maxMaptrackFrames: number | null;
  /** What the toolstack does when the guest ends; libxl's default is destroy for all but the reboot, which restarts. */
  on: { poweroff: string; reboot: string; watchdog: string; crash: string };
}

const formats = ['raw', 'qcow', 'qcow2', 'vhd', 'qed', 'empty'] as const;

/** Reads a configuration that `Toolstack.runningConfigs` gave; null when it is of another form. */
export function readRunningConfig(json: unknown): RunningConfig | null {
  const parsed = running.safeParse(json);
  if (!parsed.success) return null;
  const {
    c_info,
    b_info,
    disks = [],
    nics = [],
    pcidevs = [],
    usbdevs = [],
    on_poweroff,
    on_reboot,
    on_watchdog,
    on_crash,
  } = parsed.data;
  return {
    uuid: c_info?.uuid?.toLowerCase() ?? null,
    disks: disks.map(readDisk),
    vifs: nics.map(({ mac, bridge }) => ({ mac: mac?.toLowerCase() ?? null, bridge: bridge ?? null })),
    devices: pcidevs.length + usbdevs.length,
    maxGrantFrames: b_info?.max_grant_frames ?? null,
    maxMaptrackFrames: b_info?.max_maptrack_frames ?? null,
    on: {
      poweroff: on_poweroff ?? 'destroy',
      reboot: on_reboot ?? 'restart',
      watchdog: on_watchdog ?? 'destroy',
      crash: on_crash ?? 'destroy',
    },
  };
}

function readDisk(json: z.infer<typeof disk>): XlDisk {
  const cdrom = (json.is_cdrom ?? 0) !== 0;
  const target = json.pdev_path ?? '';
  const others = [
    ...(isTrue(json.discard_enable) ? ['discard'] : []),
    ...(isTrue(json.direct_io_safe) ? ['direct-io-safe'] : []),
  ];
  return {
    vdev: json.vdev,
    target: target === '' ? null : target,
    format: target === '' ? 'empty' : (formats.find((format) => format === json.format) ?? 'raw'),
    access: (json.readwrite ?? 0) === 0 ? 'r' : 'w',
    cdrom,
    script: json.script ?? null,
    backendtype: json.backend ?? null,
    backend: json.backend_domname ?? null,
    others,
  };
}

function isTrue(value: z.infer<typeof flag>): boolean {
  return value === true || value === 'True' || (typeof value === 'number' && value !== 0);
}
