import { vdev, vmName, vmUuid } from '../domain/names.ts';
import { concern, note, refusal, warning } from '../domain/concern.ts';
import type { Concern } from '../domain/survey.ts';
import { isSealiftError } from '../domain/error.ts';
import { dom0Settings, machineSetting } from './dom0-settings.ts';
import { vifDefaultConcerns } from './fit.ts';
import { guestType } from './guest-type.ts';
import { readRunningConfig } from './running-config.ts';
import type { RunningConfig } from './running-config.ts';
import { configDisks } from './xl-config/disk.ts';
import type { XlConfig } from './xl-config/types.ts';
import { configFlag, configKeys, configNumber, configString, configValue } from './xl-config/values.ts';
import { configVifs } from './xl-config/vif.ts';
import type { XlConf } from './xl-conf.ts';

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
  return checks.flatMap((check) => orSyntax(() => check(config)));
}

/**
 * The same for what is in force in a running domain (`FoundVm.running`), which may differ from the file: what Xen does
 * when the guest ends, and what was attached to it since.
 */
export function runningConcerns(json: unknown, config: XlConfig | null): Concern[] {
  const running = readRunningConfig(json);
  if (running === null) return [warning('running-config-unknown', "the running domain's configuration does not parse")];
  return [
    ...endingConcerns('on_poweroff', running.on.poweroff),
    ...endingConcerns('on_reboot', running.on.reboot),
    ...(config === null ? [] : orSyntax(() => attachedConcerns(running, config))),
  ];
}

/** What the source's own xl.conf does for the VM beside its configuration. Never throws. */
export function confConcerns(config: XlConfig, host: string, conf: XlConf): Concern[] {
  const masks = conf.cpuMasks.map((key) =>
    note('cpu-mask', `${key} in xl.conf of ${host} holds for its own guests only`),
  );
  return [...masks, ...orSyntax(() => vifDefaultConcerns(config, host, conf))];
}

function orSyntax(check: () => Concern[]): Concern[] {
  try {
    return check();
  } catch (error) {
    if (!isSealiftError(error)) throw error;
    return [refusal('config-syntax', error.message)];
  }
}

function attachedConcerns(running: RunningConfig, config: XlConfig): Concern[] {
  const concerns: Concern[] = [];
  const vifs = configVifs(config).length;
  if (running.vifs.length !== vifs) {
    const text = `the running domain has ${String(running.vifs.length)} vifs, its configuration ${String(vifs)}`;
    concerns.push(warning('vif-attached', text));
  }
  const given = ['pci', 'usbdev'].some((key) => (configValue(config, key) ?? '').length > 0);
  if (running.devices > 0 && !given) {
    concerns.push(warning('device-attached', 'a device of this machine was attached to the running domain'));
  }
  return concerns;
}

function identityConcerns(config: XlConfig): Concern[] {
  const concerns: Concern[] = [];
  const name = configString(config, 'name');
  const uuid = configString(config, 'uuid');
  if (name === null) concerns.push(refusal('no-name', 'the configuration names no VM'));
  else if (!vmName.safeParse(name).success) {
    concerns.push(refusal('odd-name', "the VM's name has characters that cannot be moved"));
  }
  if (uuid === null) concerns.push(note('uuid-random', 'no uuid is set, so each start drew another; it is pinned now'));
  else if (!vmUuid.safeParse(uuid).success) concerns.push(refusal('bad-uuid', 'the uuid is none that xl reads'));
  return concerns;
}

/** Of disks only what their files do not show: the rest is said where they are looked at (activities/vms.ts). */
function diskConcerns(config: XlConfig): Concern[] {
  return configDisks(config).flatMap((disk) => {
    if (!vdev.safeParse(disk.vdev).success) return [refusal('odd-vdev', 'a disk has a name that cannot be moved')];
    if (!disk.cdrom || disk.target === null) return [];
    return [warning('cdrom-image', `the cdrom ${disk.vdev} holds an image that stays behind`)];
  });
}

function vifConcerns(config: XlConfig): Concern[] {
  return configVifs(config).flatMap((vif, index) => {
    const name = `vif ${String(index)}`;
    const concerns: Concern[] = [];
    if (vif.mac === null)
      concerns.push(note('mac-random', `${name} has no mac, so each start drew another; it is pinned now`));
    if (vif.script !== null)
      concerns.push(warning('vif-script', `${name} has a script of its host, which the destination has to allow`));
    if (vif.backend !== null)
      concerns.push(warning('vif-driver-domain', `${name} is served by another domain of its host`));
    return concerns;
  });
}

function dom0Concerns(config: XlConfig): Concern[] {
  return configKeys(config).flatMap((key) => {
    const setting = dom0Settings(key, configValue(config, key) ?? '');
    if (setting === null) return [];
    const text = `${key} names ${setting.what} of its host`;
    return [
      setting.without === 'refused'
        ? warning('dom0-setting', text, 'map it in the file of the destination, or the destination refuses')
        : warning('dom0-setting', `${text}; it stays behind unless the destination maps it`),
    ];
  });
}

function machineConcerns(config: XlConfig): Concern[] {
  return configKeys(config).flatMap((key) => {
    const machine = machineSetting(key, configValue(config, key) ?? '');
    return machine === null ? [] : [concern(machine.name, `${key}: ${machine.text}`)];
  });
}

function memoryConcerns(config: XlConfig): Concern[] {
  const [memory, maximum] = [configNumber(config, 'memory'), configNumber(config, 'maxmem')];
  if (memory === null || maximum === null || maximum <= memory) return [];
  return [
    guestType(config) === 'hvm'
      ? warning('ballooned-hvm', 'maxmem is above memory: an HVM guest without a balloon driver crashes at its start')
      : note('ballooned', 'maxmem is above memory: the destination needs the room when the guest grows'),
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
    return [refusal('comes-back', `${key} restarts the VM when it shuts down`)];
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
