import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { BenchHost } from './bench-host.ts';
import { describeXl } from './xl-session.ts';

describe('the stand-in xl says what real xl says', () => {
  describeXl(async () => {
    const bench = await BenchHost.make({ hostName: 'xen1', memoryMib: 2047 });
    const at = (name: string): string => join(bench.folder, name);
    for (const disk of ['lok', 'other', 'lk2']) await writeFile(at(disk), Buffer.alloc(65_536));
    return {
      folder: bench.folder,
      disk: at,
      kernel: '/srv/guest/vmlinux',
      ramdisk: '/srv/guest/guest.cpio',
      program: bench.host.xl,
      own: [],
      xl: (...args) => bench.xl(...args),
      writeFile: (name, content) => writeFile(at(name), content),
      copyHalf: async (from, to) => {
        const whole = await readFile(at(from));
        await writeFile(at(to), whole.subarray(0, whole.length / 2));
      },
      up: () => Promise.resolve(),
      end: () => bench.end(),
    };
  });
});
