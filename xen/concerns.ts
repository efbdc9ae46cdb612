import { vdev, vmName, vmUuid } from '../domain/names.ts';
import { note, refusal, warning } from '../domain/concern.ts';
import type { Concern } from '../domain/survey.ts';
import { isSealiftError } from '../domain/error.ts';
import { dom0Settings, machineSettings } from './dom0-settings.ts';
import { readRunningConfig } from './running-config.ts';
import { configDisks } from './xl-config/disk.ts';
import type { XlConfig, XlDisk } from './xl-config/types.ts';
import { configFlag, configKeys, configNumber, configString, configValue } from './xl-config/values.ts';
import { configVifs } from './xl-config/vif.ts';

/**
 * What speaks against moving a VM, or will change by it, as far as its configuration alone tells. No text holds a path or a
 * value of the configuration other than the names of settings, disks and vifs. Never throws.
 */
export function configConcerns(config: XlConfig): Concern[] {
  const checks = [
    identityConcerns,
    diskConcerns,
    vifConcerns,
    dom0Concerns,
    machineConcerns,
    memoryConcerns,
    powerConcerns,
    clockConcerns,
  ];
  return checks.flatMap((check) => {
    try {
      return check(config);
    } catch (error) {
      if (!isSealiftError(error)) throw error;
      return [
        refusal('config-syntax', error.message, 'correct the configuration; xl create -n shows what xl makes of it'),
      ];
    }
  });
}

/**
 * The same for what is in force in a running domain (`FoundVm.running`), which may differ from the file: what Xen does
 * when the guest ends.
 */
export function runningConcerns(json: unknown): Concern[] {
  const running = readRunningConfig(json);
  if (running === null)
    return [warning('running-config-unknown', "the running domain's configuration does not parse", null)];
  return [...endingConcerns('on_poweroff', running.on.poweroff), ...endingConcerns('on_reboot', running.on.reboot)];
}

function identityConcerns(config: XlConfig): Concern[] {
  const concerns: Concern[] = [];
  const name = configString(config, 'name');
  const uuid = configString(config, 'uuid');
  if (name === null) concerns.push(refusal('no-name', 'the configuration names no VM', 'set name='));
  else if (!vmName.safeParse(name).success) {
    concerns.push(refusal('odd-name', "the VM's name has characters that cannot be moved", 'xl rename, and set name='));
  }
  if (uuid === null) concerns.push(note('uuid-random', 'no uuid is set, so each start drew another; it is pinned now'));
  else if (!vmUuid.safeParse(uuid).success)
    concerns.push(refusal('bad-uuid', 'the uuid is none that xl reads', 'set uuid='));
  return concerns;
}

function diskConcerns(config: XlConfig): Concern[] {
  const disks = configDisks(config);
  const concerns = disks.flatMap((disk) => (disk.cdrom ? cdromConcerns(disk) : oneDiskConcerns(disk)));
  if (disks.every((disk) => disk.cdrom)) concerns.push(refusal('no-disk', 'the VM has no disk to move', null));
  return concerns;
}

function cdromConcerns(disk: XlDisk): Concern[] {
  if (disk.target === null) return [];
  return [
    warning(
      'cdrom-image',
      `the cdrom ${disk.vdev} holds an image that stays behind`,
      'eject it, or map it at the destination',
    ),
  ];
}

function oneDiskConcerns(disk: XlDisk): Concern[] {
  const concerns: Concern[] = [];
  const name = `the disk ${disk.vdev}`;
  if (!vdev.safeParse(disk.vdev).success)
    concerns.push(refusal('odd-vdev', 'a disk has a name that cannot be moved', 'set vdev='));
  if (disk.format !== 'raw') {
    concerns.push(
      refusal('disk-format', `${name} is of the format ${disk.format}`, 'make it raw: qemu-img convert -O raw'),
    );
  }
  if (disk.script !== null) {
    concerns.push(
      refusal('disk-script', `${name} is made by a script, which cannot be followed`, 'attach it without script='),
    );
  }
  if (disk.backend !== null) concerns.push(refusal('disk-driver-domain', `${name} is served by another domain`, null));
  if (disk.access === 'r') concerns.push(refusal('disk-read-only', `${name} is read-only, so it may be shared`, null));
  if (disk.access === 'w!') {
    concerns.push(
      refusal('disk-shared', `${name} may be written by others too (access w!)`, 'let one VM have it, access w'),
    );
  }
  return concerns;
}

function vifConcerns(config: XlConfig): Concern[] {
  return configVifs(config).flatMap((vif, index) => {
    const name = `vif ${String(index)}`;
    const concerns: Concern[] = [];
    if (vif.mac === null)
      concerns.push(note('mac-random', `${name} has no mac, so each start drew another; it is pinned now`));
    if (vif.script !== null)
      concerns.push(
        warning('vif-script', `${name} has a script of its host, which the destination has to allow`, null),
      );
    if (vif.backend !== null)
      concerns.push(warning('vif-driver-domain', `${name} is served by another domain of its host`, null));
    return concerns;
  });
}

function dom0Concerns(config: XlConfig): Concern[] {
  return configKeys(config).flatMap((key) => {
    const setting = dom0Settings(key, configValue(config, key) ?? '');
    if (setting === null) return [];
    const text = `${key} names ${setting.what} of its host`;
    return setting.without === 'refused'
      ? [
          warning(
            `dom0-${key.replaceAll('_', '-')}`,
            text,
            'map it in the configuration of the destination host, or the destination refuses',
          ),
        ]
      : [warning(`dom0-${key.replaceAll('_', '-')}`, `${text}; it stays behind unless the destination maps it`, null)];
  });
}

function machineConcerns(config: XlConfig): Concern[] {
  return configKeys(config).flatMap((key) => {
    const machine = machineSettings.get(key);
    const value = configValue(config, key);
    if (machine === undefined || (Array.isArray(value) && value.length === 0)) return [];
    return [
      { name: machine.name, severity: machine.severity, text: `${key}: ${machine.text}`, remedy: machine.remedy },
    ];
  });
}

function memoryConcerns(config: XlConfig): Concern[] {
  const [memory, maximum] = [configNumber(config, 'memory'), configNumber(config, 'maxmem')];
  if (memory === null || maximum === null || maximum <= memory) return [];
  const hvm = configString(config, 'type') === 'hvm' || configString(config, 'builder') === 'hvm';
  if (!hvm) return [note('ballooned', 'maxmem is above memory: the destination needs the room when the guest grows')];
  return [
    warning(
      'ballooned',
      'maxmem is above memory: an HVM guest without a balloon driver crashes at its start',
      'set memory to maxmem',
    ),
  ];
}

function powerConcerns(config: XlConfig): Concern[] {
  return ['on_poweroff', 'on_reboot', 'on_crash', 'on_watchdog'].flatMap((key) =>
    endingConcerns(key, configString(config, key)),
  );
}

/** A guest is told to power off; what counts is what Xen does then. */
function endingConcerns(key: string, action: string | null): Concern[] {
  if (key === 'on_poweroff' && (action === 'restart' || action === 'rename-restart')) {
    return [
      refusal('comes-back', `${key} restarts the VM when it shuts down`, 'set on_poweroff="destroy" and start it anew'),
    ];
  }
  if (key === 'on_poweroff' && (action === 'preserve' || action === 'coredump-restart')) {
    return [note('kept-domain', `${key} keeps the domain after it has shut down; it is destroyed then`)];
  }
  return action === 'rename-restart' ? [note('renamed', `${key} leaves an old domain beside the new one`)] : [];
}

function clockConcerns(config: XlConfig): Concern[] {
  const keys = ['rtc_timeoffset', 'tsc_mode', 'timer_mode'].filter((key) => configString(config, key) !== null);
  if (configFlag(config, 'localtime') === true) keys.push('localtime');
  return keys.map((key) => note('clock', `${key} ties the guest's clock to its host`));
}
