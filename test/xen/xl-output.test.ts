import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseConfigs, parseInfo, parseList } from '../../xen/xl-output.ts';
import { readRunningConfig } from '../../xen/running-config.ts';
import { fixtures, listOf, recorded } from './recorded.ts';

const pv1 = '11111111-2222-3333-4444-555555550001';

describe('parseList', () => {
  test('reads what a real host printed', () => {
    expect(parseList(recorded('list-v-pv-pvh'))).toEqual([
      {
        domid: 5,
        name: 'pv1',
        uuid: pv1,
        state: 'running',
        shutdownReason: null,
        memoryBytes: 96 * 2 ** 20,
        vcpus: 1,
        cpuSeconds: 5.9,
      },
      expect.objectContaining({ domid: 9, name: 'pvh1', uuid: pv1.replace(/1$/, '2'), cpuSeconds: 8.5 }),
    ]);
  });

  // The flags as they were recorded by `xl list`, and those of xl_list.c.
  test.each([
    ['r-----', 'running', null],
    ['-b----', 'running', null],
    ['------', 'running', null],
    ['--p---', 'paused', null],
    ['---s--', 'shutdown', 'poweroff'],
    ['---sr-', 'shutdown', 'reboot'],
    ['---sc-', 'crashed', 'crash'],
    ['---sw-', 'crashed', 'watchdog'],
    ['---ss-', 'paused', 'suspend'],
    ['--ps--', 'dying', 'poweroff'],
    ['--p--d', 'dying', null],
    ['---s-d', 'dying', 'poweroff'],
  ])('reads the state %s as %s', (flags, state, shutdownReason) => {
    expect(parseList(listOf(['a', 3, flags, pv1]))).toEqual([expect.objectContaining({ state, shutdownReason })]);
  });

  test.each([
    'a name with spaces',
    'ünï-ç⌘de',
    '12',
    '(null)',
    'a-name-that-is-much-longer-than-the-forty-characters-of-its-column',
    'pv1   5    96     1     -b----       5.9 11111111-2222-3333-4444-555555550009 - -',
  ])('reads the name %j', (name) => {
    expect(parseList(listOf([name, 7, '-b----', pv1]))).toEqual([
      expect.objectContaining({ name, domid: 7, uuid: pv1 }),
    ]);
  });

  test('refuses to guess', () => {
    expect(() => parseList('')).toThrow('something else than a list');
    expect(() => parseList(`${listOf()}half a line 3`)).toThrow('a line that does not parse');
    // Without -v there is no uuid.
    expect(() => parseList(recorded('list-paused'))).toThrow('a line that does not parse');
  });
});

describe('parseConfigs', () => {
  const names = readdirSync(join(fixtures, 'xl')).filter((file) => /^list-l-.*\.stdout$/.test(file));

  test.each(names.map((file) => file.replace('.stdout', '')).filter((name) => name !== 'list-l-absent'))(
    'reads %s',
    (name) => {
      const configs = parseConfigs(recorded(name));
      expect(configs.every(({ domid, config }) => domid !== 0 && readRunningConfig(config) !== null)).toBe(true);
    },
  );

  test('finds disks, vifs and endings, with what libxl leaves out', () => {
    const pvh = readRunningConfig(parseConfigs(recorded('list-l-pvh-name'))[0]?.config);
    expect(pvh?.uuid).toBe(pv1.replace(/1$/, '2'));
    expect(pvh?.disks).toEqual([
      expect.objectContaining({ vdev: 'xvda', target: '/dev/vg0/lk2', format: 'raw', access: 'w', cdrom: false }),
    ]);
    expect(pvh?.vifs).toEqual([{ mac: '00:16:3e:00:00:22', bridge: 'xenbr0' }]);
    expect(pvh?.on).toEqual({ poweroff: 'preserve', reboot: 'restart', watchdog: 'destroy', crash: 'destroy' });
    expect(readRunningConfig('text')).toBeNull();
  });

  test('refuses what is no list of domains', () => {
    expect(() => parseConfigs('libxl: error')).toThrow('something else than JSON');
    expect(() => parseConfigs('[1]')).toThrow('JSON of another form');
  });
});

test('parseInfo reads what a real host printed, and names what is missing', () => {
  expect(parseInfo(recorded('info'))).toEqual({
    host: 'xen1',
    xenVersion: '4.17.7',
    capabilities: expect.arrayContaining(['xen-3.0-x86_64', 'hvm-3.0-x86_64']),
    commandLine: expect.stringContaining('dom0_mem=1024M,max:1024M'),
    processors: 1,
    cpuFeatures: '078bf3fd:80002001:20100800:00000005:00000000:00000001:00000000:00000000',
    virtualization: ['pv', 'hvm', 'hap', 'gnttab-v1', 'gnttab-v2'],
    cpuNumbers: 1,
    nodes: 1,
    totalMemoryBytes: 2047 * 2 ** 20,
    freeMemoryBytes: 1000 * 2 ** 20,
  });
  expect(() => parseInfo('host : x\n')).toThrow('xl info does not tell xen_version');
});
