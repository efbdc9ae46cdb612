import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { isQcow2, probeFormat } from '../../storage/format.ts';
import { makeFolder } from './support.ts';

/** An image of `bytes` bytes with `text` at `at`. */
async function makeImage(bytes: number, text: string, at = 0): Promise<string> {
  const path = join(makeFolder(), 'disk.raw');
  const content = Buffer.alloc(bytes, 1);
  content.write(text, at, 'latin1');
  await writeFile(path, content);
  return path;
}

describe('the format of an image', () => {
  test.each([
    ['qcow2', 'QFI\xfb\0\0\0\x03'],
    ['vhd', 'conectix'],
    ['vhd', 'vhdxfile'],
    ['vmdk', 'KDMV'],
    ['vmdk', '# Disk DescriptorFile\nversion=1\n'],
    ['raw', 'QFI'],
    ['raw', '\xeb\x63\x90'],
  ] as const)('is %s when it begins with %j', async (format, magic) => {
    const path = await makeImage(10_000, magic);
    expect(await probeFormat(path)).toBe(format);
    expect(await isQcow2(path)).toBe(format === 'qcow2');
  });

  test.each([65_536 + 512, 512 + 512, 8192])('is vhd when a disk of %i bytes ends with its footer', async (bytes) => {
    expect(await probeFormat(await makeImage(bytes, 'conectix', bytes - 512))).toBe('vhd');
    expect(await probeFormat(await makeImage(bytes, 'conectix', bytes - 500))).toBe('raw');
  });

  test('of one byte is raw, and of none cannot be told', async () => {
    expect(await probeFormat(await makeImage(1, ''))).toBe('raw');
    await expect(probeFormat(await makeImage(0, ''))).rejects.toMatchObject({ type: 'disk-unreadable' });
    await expect(probeFormat(join(makeFolder(), 'gone'))).rejects.toMatchObject({ type: 'disk-missing' });
  });
});
