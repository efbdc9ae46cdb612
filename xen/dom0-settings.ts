import type { Concern } from '../domain/survey.ts';
import type { XlValue } from './xl-config/types.ts';

/** A setting that names something of the host on which it was written. */
export interface Dom0Setting {
  what: string;
  /** What becomes of it at a host that does not map it: without it the guest would not boot, or would boot something else. */
  without: 'refused' | 'dropped';
}

/**
 * Says whether a setting names a file or a program of its host, by its key or, for keys that are not known, by looking like
 * a path; null when it does not. Disks and vifs are not looked at here.
 */
export function dom0Settings(key: string, value: XlValue): Dom0Setting | null {
  if (plainText.has(key) || value.length === 0) return null;
  const known = files.get(key);
  if (known === undefined) return holdsPath(value) ? { what: 'a file', without: 'dropped' } : null;
  if (known.unless?.test(typeof value === 'string' ? value : '') === true) return null;
  return { what: known.what, without: known.without };
}

/** Settings whose text is the guest's, or read elsewhere, whatever it looks like. */
const plainText = new Set(['name', 'uuid', 'extra', 'cmdline', 'root', 'disk', 'vif']);

const files = new Map<string, Dom0Setting & { unless?: RegExp }>([
  ['kernel', { what: 'a file', without: 'refused' }],
  ['ramdisk', { what: 'a file', without: 'refused' }],
  ['bootloader', { what: 'a program', without: 'refused' }],
  ['bootloader_args', { what: 'arguments for a program', without: 'dropped' }],
  ['firmware', { what: 'a file', without: 'refused', unless: /^(bios|uefi|seabios|rombios|ovmf|none)$/ }],
  ['firmware_override', { what: 'a file', without: 'refused' }],
  ['bios_path_override', { what: 'a file', without: 'refused' }],
  ['pvshim_path', { what: 'a file', without: 'refused' }],
  ['acpi_firmware', { what: 'a file', without: 'refused' }],
  ['smbios_firmware', { what: 'a file', without: 'refused' }],
  ['device_tree', { what: 'a file', without: 'refused' }],
  ['device_model_override', { what: 'a program', without: 'dropped' }],
  ['device_model_user', { what: 'a user', without: 'dropped' }],
  ['device_model_args', { what: 'arguments for a program', without: 'dropped' }],
  ['device_model_args_pv', { what: 'arguments for a program', without: 'dropped' }],
  ['device_model_args_hvm', { what: 'arguments for a program', without: 'dropped' }],
  ['stubdomain_kernel', { what: 'a file', without: 'dropped' }],
  ['stubdomain_ramdisk', { what: 'a file', without: 'dropped' }],
  ['stubdomain_cmdline', { what: 'arguments for a program', without: 'dropped' }],
  ['serial', { what: 'a device', without: 'dropped', unless: /^(pty|none|null|vc)$/ }],
  [
    'vnclisten',
    { what: 'an address', without: 'dropped', unless: /^(127\.0\.0\.1|0\.0\.0\.0|::1?|localhost)(:\d+)?$/ },
  ],
  ['spicehost', { what: 'an address', without: 'dropped', unless: /^(127\.0\.0\.1|0\.0\.0\.0|::1?|localhost)$/ }],
  ['channel', { what: 'a socket', without: 'dropped' }],
  ['xauthority', { what: 'a file', without: 'dropped' }],
  ['pool', { what: 'a processor pool', without: 'dropped', unless: /^Pool-0$/ }],
  ['seclabel', { what: 'a security label', without: 'dropped' }],
  ['init_seclabel', { what: 'a security label', without: 'dropped' }],
  ['device_model_stubdomain_seclabel', { what: 'a security label', without: 'dropped' }],
]);

function holdsPath(value: XlValue): boolean {
  if (Array.isArray(value)) return value.some(holdsPath);
  return /(^|[=:,\s])\/[^/\s]/.test(value);
}

/** Settings that tie a VM to its machine, by what they mean for a move. */
export const machineSettings = new Map<string, Concern>(
  (
    [
      [
        'refuses',
        'passthrough',
        'a device of this machine is given to the guest',
        ['pci', 'usbdev', 'usbdevice_host', 'dtdev', 'iomem', 'ioports', 'irqs', 'vscsi'],
      ],
      ['refuses', 'vtpm', 'the keys in a virtual TPM stay behind', ['vtpm', 'tpm']],
      ['refuses', 'shared-folder', 'a folder of this host is shared with the guest', ['p9']],
      ['refuses', 'host-service', 'a service of this host answers the guest', ['pvcalls', 'virtio']],
      ['warns', 'no-migrate', 'the owner says that this VM does not move', ['nomigrate']],
      ['warns', 'vnuma', 'the virtual NUMA layout was made for this machine', ['vnuma']],
      [
        'warns',
        'pinned-cpus',
        'processors of this machine are named; the destination may lack them',
        ['cpus', 'cpus_soft', 'nodes'],
      ],
      ['note', 'cpuid', 'features of the processor are set by hand', ['cpuid', 'msr']],
    ] as const
  ).flatMap(([severity, name, text, keys]) =>
    keys.map((key) => [
      key,
      { name, severity, text, remedy: severity === 'refuses' ? `remove ${key}= and start the VM anew` : null },
    ]),
  ),
);
