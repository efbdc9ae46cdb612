import type { GuestConfig } from './guest-config.ts';

type Json = string | number | Json[] | { [key: string]: Json };

/**
 * A domain's configuration as libxl writes it, fields in its order and those at their default left out. `atRest` is what
 * `xl create -n` prints; the other form is that of `xl list -l`, with what libxl has filled in since.
 */
export function configJson(config: GuestConfig, atRest: boolean): Json {
  return {
    c_info: {
      type: config.type,
      name: config.name,
      ...(atRest ? {} : { domid: 4294967295 }),
      uuid: config.uuid,
      run_hotplug_scripts: 'True',
    },
    b_info: {
      max_vcpus: config.maxVcpus,
      avail_vcpus: Array.from({ length: config.vcpus }, (_, index) => index),
      max_memkb: config.maxMemoryKb,
      target_memkb: config.memoryKb,
      ...(atRest ? {} : { video_memkb: 0 }),
      sched_params: atRest ? {} : { sched: 'credit2', weight: 256, cap: 0 },
      claim_mode: 'True',
      ...text('bootloader', config.bootloader),
      ...text('kernel', config.kernel),
      ...text('cmdline', config.cmdline),
      ...text('ramdisk', config.ramdisk),
      [`type.${config.type}`]: {},
      arch_arm: {},
      arch_x86: atRest ? {} : { msr_relaxed: 'False' },
    },
    ...(config.disks.length === 0
      ? {}
      : {
          disks: config.disks.map((disk) => ({
            ...text('pdev_path', disk.target),
            vdev: disk.vdev,
            ...text('script', disk.script),
            ...(disk.cdrom ? { removable: 1 } : {}),
            format: disk.format,
            ...(disk.access === 'r' ? {} : { readwrite: 1 }),
            ...(disk.cdrom ? { is_cdrom: 1 } : {}),
            ...(atRest ? {} : { colo_restore_enable: 'False' }),
          })),
        }),
    ...(config.nics.length === 0
      ? {}
      : {
          nics: config.nics.map((nic, devid) => ({
            devid,
            mac: nic.mac,
            bridge: nic.bridge,
            ...(atRest ? {} : { nictype: 'vif' }),
          })),
        }),
    ...(config.onPoweroff === 'destroy' ? {} : { on_poweroff: config.onPoweroff }),
    ...(config.onReboot === 'destroy' ? {} : { on_reboot: config.onReboot }),
    ...(config.onWatchdog === 'destroy' ? {} : { on_watchdog: config.onWatchdog }),
    ...(config.onCrash === 'destroy' ? {} : { on_crash: config.onCrash }),
    on_soft_reset: config.onSoftReset,
  };
}

/** What `xl list -l` says of dom0. */
export function dom0Json(memoryMib: number): Json {
  return {
    c_info: { type: 'pv', name: 'Domain-0' },
    b_info: {
      max_memkb: memoryMib * 1024,
      target_memkb: memoryMib * 1024 - 1,
      sched_params: { sched: 'credit2', weight: 256, cap: 0 },
      'type.pv': {},
      arch_arm: {},
      arch_x86: {},
    },
  };
}

/** JSON as libxl's generator lays it out: four blanks, and an empty object over three lines. */
export function printJson(value: Json, indent = ''): string {
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = `${indent}    `;
  const [begin, end, parts] = Array.isArray(value)
    ? ['[', ']', value.map((item) => printJson(item, inner))]
    : ['{', '}', Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${printJson(item, inner)}`)];
  const body = parts.map((part) => inner + part).join(',\n');
  return `${begin}\n${body}\n${indent}${end}`;
}

function text(key: string, value: string | null): Record<string, string> {
  return value === null ? {} : { [key]: value };
}
