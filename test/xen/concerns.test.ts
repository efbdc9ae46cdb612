import { describe, expect, test } from '@jest/globals';
import { configConcerns, runningConcerns } from '../../xen/concerns.ts';
import { macFor, pinConfig } from '../../xen/pin.ts';
import { parseXlConfig } from '../../xen/xl-config/parse.ts';
import { configNumber, configString } from '../../xen/xl-config/values.ts';
import { configVifs } from '../../xen/xl-config/vif.ts';
import { parseConfigs } from '../../xen/xl-output.ts';
import type { XlConf } from '../../xen/xl-conf.ts';
import { recorded } from './recorded.ts';

const uuid = '11111111-2222-4333-8444-555555550001';
const whole = `name="web-1"\nuuid="${uuid}"\ndisk=["/srv/a,,xvda"]\nvif=["mac=00:16:3e:00:00:21"]\n`;

describe('configConcerns', () => {
  test('has nothing against a whole configuration', () => {
    expect(configConcerns(parseXlConfig(whole))).toEqual([]);
  });

  test.each([
    ['name="-rf"', 'refuses odd-name'],
    ['uuid="1"', 'refuses bad-uuid'],
    ['disk=["/srv/a,raw,xvda","/iso,,hdc,cdrom"]', 'warns cdrom-image'],
    ['disk=["/srv/a"]', 'refuses config-syntax'],
    ['disk=["/srv/a,,XVDA"]', 'refuses odd-vdev'],
    ['vif=[""]', 'note mac-random'],
    ['vif=["mac=00:16:3e:00:00:21,script=x"]', 'warns vif-script'],
    ['vif=["mac=00:16:3e:00:00:21,backend=net"]', 'warns vif-driver-domain'],
    ['kernel="/boot/vmlinuz"', 'warns dom0-setting'],
    ['bootloader="pygrub"', 'warns dom0-setting'],
    ['device_model_override="/x"', 'warns dom0-setting'],
    ['pci=["01:00.0"]', 'refuses passthrough'],
    ['usbdevice=["tablet","host:1.2"]', 'refuses passthrough'],
    ['virtio=["type=virtio,device"]', 'refuses host-service'],
    ['vtpm=["backend=x"]', 'refuses vtpm'],
    ['p9=["path=/srv"]', 'refuses shared-folder'],
    ['nomigrate=1', 'warns no-migrate'],
    ['vnuma=[["pnode=0"]]', 'warns vnuma'],
    ['cpus="2-3"', 'warns pinned-cpus'],
    ['type="hvm"\nmemory=64\nmaxmem=128', 'warns ballooned-hvm'],
    ['builder="hvm"\nmemory=64\nmaxmem=128', 'warns ballooned-hvm'],
    ['memory=64\nmaxmem=128', 'note ballooned'],
    ['on_poweroff="restart"', 'refuses comes-back'],
    ['on_poweroff="preserve"', 'note kept-domain'],
    ['on_reboot="rename-restart"', 'note renamed'],
    ['cpuid="host,tm=0"', 'note cpuid'],
    ['localtime=1', 'note clock'],
  ])('names %s', (line, expected) => {
    const concerns = configConcerns(parseXlConfig(`${whole}${line}`));
    expect(concerns.map(({ severity, name }) => `${severity} ${name}`)).toContain(expected);
    expect(JSON.stringify(concerns)).not.toMatch(/\/(srv|boot|iso)/);
  });

  test('says that a random uuid is pinned, and that a VM needs a name', () => {
    const names = configConcerns(parseXlConfig('disk=["/srv/a,,xvda"]')).map(({ name }) => name);
    expect(names).toEqual(['no-name', 'uuid-random']);
  });
});

test('a tablet for the pointer and nomigrate=0 are nothing of the machine', () => {
  expect(configConcerns(parseXlConfig(`${whole}usbdevice="tablet"\nnomigrate=0\nvirtio=[]`))).toEqual([]);
});

describe('runningConcerns', () => {
  const pvh = parseConfigs(recorded('list-l-pvh-name'))[0]?.config;
  const names = (json: unknown, text = whole): string[] =>
    runningConcerns(json, parseXlConfig(text)).map(({ name }) => name);

  test('reads what is in force', () => {
    expect(names(pvh)).toEqual(['kept-domain']);
    expect(names(7)).toEqual(['running-config-unknown']);
  });

  test('sees what was attached since, which would stay behind', () => {
    expect(names(pvh, 'vif=[]')).toEqual(['kept-domain', 'vif-attached']);
    const withDevice = { ...Object(pvh), pcidevs: [{ dev: 0, bus: 1 }] } as unknown;
    expect(names(withDevice)).toEqual(['kept-domain', 'device-attached']);
    // That one the configuration names, and is refused by it.
    expect(names(withDevice, `${whole}pci=["01:00.0"]`)).toEqual(['kept-domain']);
  });
});

describe('pinConfig', () => {
  const running = parseConfigs(recorded('list-l-pvh-name'))[0]?.config;
  const conf: XlConf = {
    autoballoon: 'auto',
    claims: true,
    maxGrantFrames: null,
    maxMaptrackFrames: null,
    vifBridge: null,
    vifScript: null,
    cpuMasks: [],
  };

  test('takes what the file leaves open from the running domain', () => {
    const inForce = { ...Object(running), b_info: { max_grant_frames: 64 } } as unknown;
    const { config, changes } = pinConfig(parseXlConfig('name="pvh1"\nvif=["",""]'), uuid, inForce, conf);
    expect(configString(config, 'uuid')).toBe(uuid);
    expect(configNumber(config, 'max_grant_frames')).toBe(64);
    expect(configVifs(config)).toEqual([
      expect.objectContaining({ mac: '00:16:3e:00:00:22', bridge: 'xenbr0' }),
      expect.objectContaining({ mac: macFor(uuid, 1), bridge: null }),
    ]);
    expect(changes).toHaveLength(5);
    expect(pinConfig(config, uuid, inForce, conf)).toEqual({ config, changes: [] });
  });

  test('takes it from xl.conf of the source when the VM does not run', () => {
    const own = { ...conf, maxGrantFrames: 128, vifBridge: 'br-lan' };
    const { config, changes } = pinConfig(parseXlConfig(whole), uuid, null, own);
    expect(configNumber(config, 'max_grant_frames')).toBe(128);
    expect(configVifs(config)[0]?.bridge).toBe('br-lan');
    expect(changes).toEqual([
      "vif 0: bridge was the host's default, pinned",
      "max_grant_frames was the host's default, pinned",
    ]);
    // A running domain has what xl.conf said when it was started.
    expect(configNumber(pinConfig(parseXlConfig(whole), uuid, running, own).config, 'max_grant_frames')).toBeNull();
  });

  test('leaves alone what is there', () => {
    const config = parseXlConfig(whole);
    expect(pinConfig(config, uuid, null, conf)).toEqual({ config, changes: [] });
  });
});
