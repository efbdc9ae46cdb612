import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dom0Files, translateConfig } from '../../xen/translate.ts';
import type { TranslateOptions, Translated } from '../../xen/translate.ts';
import { configDisks } from '../../xen/xl-config/disk.ts';
import { parseXlConfig } from '../../xen/xl-config/parse.ts';
import { configKeys, configString } from '../../xen/xl-config/values.ts';
import { configVifs } from '../../xen/xl-config/vif.ts';
import { writeXlConfig } from '../../xen/xl-config/write.ts';

const uuid = '11111111-2222-3333-4444-555555550001';
const here: TranslateOptions = {
  disks: [{ vdev: 'xvda', path: '/pool/web-1/xvda.raw' }],
  bridges: { xenbr0: 'br-dmz' },
  defaultBridge: 'br-lan',
  uuid,
};

function translate(text: string, options: Partial<TranslateOptions> = {}): Translated {
  return translateConfig(parseXlConfig(text), { ...here, ...options });
}
function names({ concerns }: Translated): string[] {
  return concerns.map(({ name, severity }) => `${severity} ${name}`);
}

describe('translateConfig', () => {
  test('puts disks, bridges, uuid and macs in place and reports each', () => {
    const done = translate(
      'name="web-1"\nmemory=64\nodd_key="kept"\ndisk=["format=raw,vdev=xvda,discard,backendtype=phy,active-disk=/x,target=/dev/vg0/web"]\nvif=["bridge=xenbr0,rate=1Mb/s","mac=00:16:3e:00:00:21,script=vif-bridge,gatewaydev=eth9"]',
    );
    expect(configDisks(done.config)).toEqual([
      expect.objectContaining({
        target: '/pool/web-1/xvda.raw',
        format: 'raw',
        backendtype: null,
        others: ['discard'],
      }),
    ]);
    const [first, second] = configVifs(done.config);
    expect(first).toMatchObject({ bridge: 'br-dmz', mac: expect.stringMatching(/^00:16:3e:/), others: ['rate=1Mb/s'] });
    expect(second).toMatchObject({ bridge: 'br-lan', mac: '00:16:3e:00:00:21', script: null, others: [] });
    expect(done.changes).toEqual([
      'uuid pinned',
      "disk xvda: lies in this host's storage",
      'disk xvda: backendtype dropped',
      'disk xvda: active-disk dropped',
      'vif 0: bridge xenbr0 → br-dmz',
      `vif 0: mac was random, pinned to ${first?.mac ?? ''}`,
      'vif 1: bridge (default) → br-lan',
      'vif 1: script dropped: it is the default one',
      'vif 1: gatewaydev dropped',
    ]);
    expect(done.concerns).toEqual([]);
    expect(configString(done.config, 'odd_key')).toBe('kept');
    // Twice, and late, it is the same.
    expect(translateConfig(done.config, here)).toEqual({ config: done.config, changes: [], concerns: [] });
  });

  test('maps files of dom0, or refuses', () => {
    const text = 'kernel="/boot/a"\nramdisk="/boot/b"\nextra="root=/dev/xvda init=/sbin/init"\ndisk=["/a,,xvda"]';
    const paths = { '/boot/a': '/guests/a', '/boot/b': '/boot/b' };
    const mapped = translate(text, { paths });
    expect(names(mapped)).toEqual([]);
    expect(configString(mapped.config, 'kernel')).toBe('/guests/a');
    expect(configString(mapped.config, 'extra')).toBe('root=/dev/xvda init=/sbin/init');
    expect(mapped.changes).toContain('kernel: mapped to a file of this host');
    expect(names(translate(text))).toEqual(['refuses unmapped-file', 'refuses unmapped-file']);
  });

  test('runs no program of the other host', () => {
    const text =
      'bootloader="pygrub"\ndevice_model_override="/tmp/evil"\ndevice_model_args=["-drive","file=/etc/shadow"]\nserial="file:/etc/cron.d/x"\nunknown_key=["/etc/evil"]\ndisk=["/a,,xvda"]';
    const done = translate(text);
    const dropped = Array.from({ length: 4 }, () => 'warns setting-dropped');
    expect(names(done)).toEqual(['refuses bootloader-not-allowed', ...dropped]);
    expect(configKeys(done.config)).toEqual(['disk', 'uuid']);
    const allowed = translate(text, { allow: { bootloaders: ['pygrub'] } });
    expect(names(allowed)).toEqual(dropped);
    expect(configKeys(allowed.config)).toEqual(['bootloader', 'disk', 'uuid']);
    expect(allowed.changes).toContain('unknown_key dropped');
    // A name that every object has is not in a map.
    expect(names(translate('kernel="constructor"\ndisk=["/a,,xvda"]', { paths: {} }))).toEqual([
      'refuses unmapped-file',
    ]);
  });

  test('takes the script of a vif only when this host allows it', () => {
    const text = 'vif=["script=/etc/xen/scripts/evil,bridge=xenbr0"]\ndisk=["/a,,xvda"]';
    const refused = translate(text);
    expect(names(refused)).toEqual(['refuses vif-script-not-allowed']);
    expect(configVifs(refused.config)[0]?.script).toBeNull();
    const allowed = translate(text, { allow: { vifScripts: ['/etc/xen/scripts/evil'] } });
    expect(names(allowed)).toEqual([]);
    expect(configVifs(allowed.config)[0]?.script).toBe('/etc/xen/scripts/evil');
  });

  test('names the files of dom0 that are needed', () => {
    const text =
      'kernel="/boot/a"\nramdisk="/boot/b"\nfirmware="uefi"\nbootloader="pygrub"\ndisk=["/a,,xvda","/iso,,hdc,cdrom"]\nvif=["script=/etc/s"]';
    expect(dom0Files(parseXlConfig(text))).toEqual([
      { what: 'kernel', path: '/boot/a' },
      { what: 'ramdisk', path: '/boot/b' },
      { what: 'cdrom hdc', path: '/iso' },
      { what: 'the script of vif 0', path: '/etc/s' },
    ]);
  });

  test('keeps firmware that every host has, and refuses devices', () => {
    const done = translate('firmware="uefi"\nserial="pty"\npci=["01:00.0"]\nvtpm=[]\ndisk=["/a,,xvda"]');
    expect(names(done)).toEqual(['refuses passthrough']);
    expect(configKeys(done.config)).toEqual(['firmware', 'serial', 'vtpm', 'disk', 'uuid']);
  });

  test('empties a cdrom whose image is not mapped', () => {
    const text = 'disk=["/a,,xvda","/iso/os.iso,,hdc,cdrom","vdev=hdd,cdrom"]';
    const done = translate(text);
    expect(configDisks(done.config).slice(1)).toEqual([
      expect.objectContaining({ vdev: 'hdc', target: null, format: 'empty', cdrom: true }),
      expect.objectContaining({ vdev: 'hdd', target: null }),
    ]);
    expect(done.changes).toContain('cdrom hdc: emptied, its image is not on this host');
    expect(names(done)).toEqual(['warns cdrom-emptied']);
    const mapped = translate(text, { paths: { '/iso/os.iso': '/iso/b' } });
    expect(configDisks(mapped.config)[1]?.target).toBe('/iso/b');
    expect(names(mapped)).toEqual([]);
  });

  test('refuses when landed disks and named disks differ, or no bridge is known', () => {
    expect(names(translate('disk=["/a,,xvda","/b,,xvdb"]'))).toEqual(['refuses disk-not-landed']);
    expect(names(translate('disk=["vdev=hdc,cdrom"]'))).toEqual(['refuses disk-unnamed']);
    const other = 'disk=["/a,,xvda"]\nvif=["bridge=br9"]';
    expect(names(translate(other))).toEqual(['warns bridge-defaulted']);
    expect(names(translate(other, { defaultBridge: null }))).toEqual(['refuses bridge-unmapped']);
  });

  test('tells no path, whatever the configuration holds', () => {
    const key = fc.constantFrom(
      'kernel',
      'ramdisk',
      'bootloader',
      'firmware',
      'device_model_override',
      'p9',
      'channel',
      'odd',
      'pci',
    );
    fc.assert(
      fc.property(fc.dictionary(key, fc.constantFrom('/secret/path', 'x=/secret/path', 'plain')), (settings) => {
        const lines = Object.entries(settings).map(([name, value]) => `${name}="${value}"`);
        const done = translate(['disk=["/secret/path,,xvda,w"]', ...lines].join('\n'));
        expect(JSON.stringify([done.changes, done.concerns])).not.toContain('secret');
        expect(writeXlConfig(done.config)).not.toContain('secret');
      }),
    );
  });
});
