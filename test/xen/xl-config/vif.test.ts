import { describe, expect, test } from '@jest/globals';
import { parseXlConfig } from '../../../xen/xl-config/parse.ts';
import { configVifs, parseXlVif, setConfigVifs, writeXlVif } from '../../../xen/xl-config/vif.ts';

describe('parseXlVif', () => {
  test('reads known parameters and keeps the rest', () => {
    const vif = parseXlVif(
      'mac=0:16:3E:0:0:21, bridge=xenbr0,,rate=10Mb/s,script=vif-bridge,ip=10.0.0.2 10.0.0.3,trusted',
    );
    expect(vif).toEqual({
      mac: '00:16:3e:00:00:21',
      bridge: 'xenbr0',
      script: 'vif-bridge',
      ip: '10.0.0.2 10.0.0.3',
      model: null,
      type: null,
      vifname: null,
      backend: null,
      others: ['rate=10Mb/s', 'trusted'],
    });
    expect(parseXlVif(writeXlVif(vif))).toEqual(vif);
  });

  test('reads the empty vif and refuses a mac that is none', () => {
    expect(writeXlVif(parseXlVif(''))).toBe('');
    expect(() => configVifs(parseXlConfig('\n\nvif = [ "", "mac=00:16" ]', 'web.cfg'))).toThrow(
      'web.cfg:3:1: vif 1: mac is not an address',
    );
  });

  test('is written back into a configuration', () => {
    const config = parseXlConfig('vif = [ "" ]');
    const pinned = setConfigVifs(config, [{ ...parseXlVif(''), mac: '00:16:3e:00:00:01' }]);
    expect(configVifs(pinned)[0]?.mac).toBe('00:16:3e:00:00:01');
  });
});
