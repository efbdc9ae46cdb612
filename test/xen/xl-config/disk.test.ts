import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSealiftError } from '../../../domain/error.ts';
import { configDisks, parseXlDisk, setConfigDisks, writeXlDisk } from '../../../xen/xl-config/disk.ts';
import { parseXlConfig } from '../../../xen/xl-config/parse.ts';
import type { XlDisk } from '../../../xen/xl-config/types.ts';
import { writeXlConfig } from '../../../xen/xl-config/write.ts';

const plain: XlDisk = {
  vdev: 'xvda',
  target: '/dev/vg0/web',
  format: 'raw',
  access: 'w',
  cdrom: false,
  script: null,
  backendtype: null,
  backend: null,
  others: [],
};
const emptyDrive: XlDisk = { ...plain, vdev: 'hdc', target: null, format: 'empty', access: 'r', cdrom: true };

describe('parseXlDisk', () => {
  // The examples of xl-disk-configuration(5), and the old forms.
  test.each<[string, Partial<XlDisk>]>([
    ['/dev/vg0/web,raw,xvda,rw', {}],
    ['/dev/vg0/web,,xvda', {}],
    ['format=raw, vdev=xvda, access=rw, target=/dev/vg0/web', {}],
    ['raw:/dev/vg0/web,xvda,w', {}],
    ['phy:/dev/vg0/web,xvda,w', {}],
    ['phy:vg0/web,xvda,w', {}],
    ['vg0/web,,xvda,', {}],
    ['file:/srv/web.img,xvda,w', { target: '/srv/web.img' }],
    ['tap:aio:/srv/web.img,xvda,r', { target: '/srv/web.img', access: 'r' }],
    ['tap2:qcow2:/srv/web.q,xvda,w', { target: '/srv/web.q', format: 'qcow2' }],
    ['/srv/web.q,qcow2,xvda,w!', { target: '/srv/web.q', format: 'qcow2', access: 'w!' }],
    // A qcow2 that does not say so is served as raw bytes.
    ['/srv/web.qcow2,,xvda', { target: '/srv/web.qcow2', format: 'raw' }],
    ['vdev=xvda,target=/srv/a,b=c,access=r,cdrom', { target: '/srv/a,b=c,access=r,cdrom' }],
    ['vdev=xvda,target=/srv/comma,,', { target: '/srv/comma,' }],
    [
      'vdev=xvda,script=block-iscsi,target=iqn=iqn.2001-05.com.x:a,portal=10.0.0.1',
      { script: 'block-iscsi', target: 'iqn=iqn.2001-05.com.x:a,portal=10.0.0.1' },
    ],
    ['iscsi:relative,xvda,w', { script: 'block-iscsi', target: 'relative' }],
    ['/dev/vg0/web,raw,xvda,w,discard,direct-io-safe', { others: ['discard', 'direct-io-safe'] }],
    [
      'backendtype=qdisk,backend=storage,vdev=xvda,colo-port=9,future=1,target=/dev/vg0/web',
      { backendtype: 'qdisk', backend: 'storage', others: ['colo-port=9', 'future=1'] },
    ],
    ['format=qcow2, /srv/web.q, xvda', { format: 'qcow2', target: '/srv/web.q' }],
    [',hdc:cdrom,r', emptyDrive],
    [',empty,hdc:cdrom,r', emptyDrive],
    ['devtype=cdrom,vdev=hdc', emptyDrive],
    ['/srv/os.iso,raw,hdc,devtype=cdrom', { ...emptyDrive, format: 'raw', target: '/srv/os.iso' }],
    ['file:/srv/os.iso,hdc:cdrom,r', { ...emptyDrive, format: 'raw', target: '/srv/os.iso' }],
  ])('reads %s', (spec, expected) => {
    expect(parseXlDisk(spec)).toEqual({ ...plain, ...expected });
  });

  test.each([
    ['', 'no vdev is given'],
    ['/dev/a', 'no vdev is given'],
    ['vdev=xvda', 'no target is given'],
    ['/dev/a,raw,xvda,w,more', 'too many positional parameters'],
    ['/dev/a,vmdk,xvda', 'a format that xl does not know'],
    ['format=raw,format=qcow2,vdev=xvda,target=/a', 'two formats are given'],
    ['/dev/a,raw,xvda,x', 'access is none of'],
    ['/dev/a=b,raw,xvda', 'not of the form name=value'],
    ['vmdk:/dev/a,xvda,w', 'a prefix that xl does not know'],
    ['vdev=xvda,vdev=xvdb,target=/a', 'vdev is given twice'],
    ['vdev=xvda,devtype=floppy,target=/a', 'devtype is neither'],
    ['vdev=xvda,backendtype=loop,target=/a', 'a backendtype that xl does not know'],
  ])('refuses %j: %s', (spec, message) => {
    expect(() => parseXlDisk(spec)).toThrow(expect.objectContaining({ type: 'config-syntax' }));
    expect(() => parseXlDisk(spec)).toThrow(message);
  });

  test('meets any text with a disk or a SealiftError', () => {
    const scraps = fc.array(
      fc.constantFrom('/dev/a', ',', 'xvda', 'raw', 'target=', 'phy:', 'vdev=', 'cdrom', ':', '=', ' ', '\n', 'r'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          scraps.map((parts) => parts.join('')),
        ),
        (spec) => {
          try {
            const disk = parseXlDisk(spec);
            expect(parseXlDisk(writeXlDisk(disk))).toEqual(disk);
          } catch (error) {
            if (!isSealiftError(error)) throw error;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('configDisks', () => {
  test('reads the list and writes it back in named form', () => {
    const config = parseXlConfig('disk = [ "phy:/dev/vg0/a,xvda,w", "/srv/b,,xvdb" ]');
    const disks = configDisks(config);
    expect(disks.map((disk) => disk.vdev)).toEqual(['xvda', 'xvdb']);
    const written = writeXlConfig(setConfigDisks(config, disks));
    expect(written).toContain('"format=raw,vdev=xvda,access=w,target=/dev/vg0/a"');
    expect(configDisks(parseXlConfig(written))).toEqual(disks);
  });

  test('names the place of what is wrong', () => {
    expect(() => configDisks(parseXlConfig('\ndisk = [ "/dev/a,raw" ]', 'web.cfg'))).toThrow(
      'web.cfg:2:1: disk 1: no vdev is given',
    );
    expect(() => configDisks(parseXlConfig('disk = [ "/a,,xvda", "/b,,xvda" ]', 'web.cfg'))).toThrow(
      'web.cfg:1:1: two disks are "xvda"',
    );
    expect(() => configDisks(parseXlConfig('disk = "/a,,xvda"'))).toThrow('is a single value, not a list');
    expect(() => configDisks(parseXlConfig('disk = [ ["/a,,xvda"] ]'))).toThrow('holds a list within the list');
  });
});
