import { describe, expect, test } from '@jest/globals';
import { configConcerns, runningConcerns } from '../../xen/concerns.ts';
import { macFor, pinConfig } from '../../xen/pin.ts';
import { parseXlConfig } from '../../xen/xl-config/parse.ts';
import { configNumber, configString } from '../../xen/xl-config/values.ts';
import { configVifs } from '../../xen/xl-config/vif.ts';
import { parseConfigs } from '../../xen/xl-output.ts';
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
    ['disk=[]', 'refuses no-disk'],
    ['disk=["/srv/a,qcow2,xvda"]', 'refuses disk-format'],
    ['disk=["/srv/a,raw,xvda,r"]', 'refuses disk-read-only'],
    ['disk=["/srv/a,raw,xvda,w!"]', 'refuses disk-shared'],
    ['disk=["script=block-nbd,vdev=xvda,target=x"]', 'refuses disk-script'],
    ['disk=["backend=store,vdev=xvda,target=/x"]', 'refuses disk-driver-domain'],
    ['disk=["/srv/a,raw,xvda","/iso,,hdc,cdrom"]', 'warns cdrom-image'],
    ['disk=["/srv/a"]', 'refuses config-syntax'],
    ['disk=["/srv/a,,XVDA"]', 'refuses odd-vdev'],
    ['vif=[""]', 'note mac-random'],
    ['vif=["mac=00:16:3e:00:00:21,script=x"]', 'warns vif-script'],
    ['vif=["mac=00:16:3e:00:00:21,backend=net"]', 'warns vif-driver-domain'],
    ['kernel="/boot/vmlinuz"', 'warns dom0-kernel'],
    ['bootloader="pygrub"', 'warns dom0-bootloader'],
    ['device_model_override="/x"', 'warns dom0-device-model-override'],
    ['pci=["01:00.0"]', 'refuses passthrough'],
    ['vtpm=["backend=x"]', 'refuses vtpm'],
    ['p9=["path=/srv"]', 'refuses shared-folder'],
    ['nomigrate=1', 'warns no-migrate'],
    ['vnuma=[["pnode=0"]]', 'warns vnuma'],
    ['cpus="2-3"', 'warns pinned-cpus'],
    ['type="hvm"\nmemory=64\nmaxmem=128', 'warns ballooned'],
    ['memory=64\nmaxmem=128', 'note ballooned'],
    ['on_poweroff="restart"', 'refuses comes-back'],
    ['on_poweroff="preserve"', 'note kept-domain'],
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

test('runningConcerns reads what is in force', () => {
  const pvh = parseConfigs(recorded('list-l-pvh-name'))[0]?.config;
  expect(runningConcerns(pvh).map(({ name }) => name)).toEqual(['kept-domain']);
  expect(runningConcerns(7).map(({ name }) => name)).toEqual(['running-config-unknown']);
});

describe('pinConfig', () => {
  const running = parseConfigs(recorded('list-l-pvh-name'))[0]?.config;

  test('takes what the file leaves open from the running domain', () => {
    const inForce = { ...Object(running), b_info: { max_grant_frames: 64 } } as unknown;
    const { config, changes } = pinConfig(parseXlConfig('name="pvh1"\nvif=["",""]'), uuid, inForce);
    expect(configString(config, 'uuid')).toBe(uuid);
    expect(configNumber(config, 'max_grant_frames')).toBe(64);
    expect(configVifs(config)).toEqual([
      expect.objectContaining({ mac: '00:16:3e:00:00:22', bridge: 'xenbr0' }),
      expect.objectContaining({ mac: macFor(uuid, 1), bridge: null }),
    ]);
    expect(changes).toHaveLength(5);
    expect(pinConfig(config, uuid, inForce)).toEqual({ config, changes: [] });
  });

  test('leaves alone what is there', () => {
    const config = parseXlConfig(whole);
    expect(pinConfig(config, uuid, null)).toEqual({ config, changes: [] });
  });
});
