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

/** What a setting that ties a VM to its machine means for a move; null for any other, and for one that is set to nothing. */
export function machineSetting(key: string, value: XlValue): MachineSetting | null {
  if (value.length === 0 || value === '0') return null;
  // A tablet that qemu makes is nothing of the machine.
  if (key === 'usbdevice' && !value.toString().includes('host:')) return null;
  return machineSettings.find(({ keys }) => keys.includes(key)) ?? null;
}

interface MachineSetting {
  name: 'passthrough' | 'vtpm' | 'shared-folder' | 'host-service' | 'no-migrate' | 'vnuma' | 'pinned-cpus' | 'cpuid';
  text: string;
  keys: string[];
}

const machineSettings: MachineSetting[] = [
  {
    name: 'passthrough',
    text: 'a device of this machine is given to the guest',
    keys: ['pci', 'usbdev', 'usbdevice', 'gfx_passthru', 'dtdev', 'iomem', 'ioports', 'irqs', 'vscsi'],
  },
  { name: 'vtpm', text: 'the keys in a virtual TPM stay behind', keys: ['vtpm', 'tpm'] },
  { name: 'shared-folder', text: 'a folder of this host is shared with the guest', keys: ['p9'] },
  { name: 'host-service', text: 'a service of this host answers the guest', keys: ['pvcalls', 'virtio'] },
  { name: 'no-migrate', text: 'the owner says that this VM does not move', keys: ['nomigrate'] },
  { name: 'vnuma', text: 'the virtual NUMA layout was made for this machine', keys: ['vnuma'] },
  {
    name: 'pinned-cpus',
    text: 'processors of this machine are named; the destination may lack them',
    keys: ['cpus', 'cpus_soft', 'nodes'],
  },
  { name: 'cpuid', text: 'features of the processor are set by hand', keys: ['cpuid', 'msr'] },
];
