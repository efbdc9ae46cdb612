import { appendFile, chmod, mkdir, open, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { writeStamp } from '../../storage/write-stamp.ts';
import { attach, canLoop, detach, needsLoops, privateLoop } from '../support/loops.ts';
import { makeFolder } from './support.ts';

const rootTest = canLoop ? test : test.skip;

test('a stamp tells whether a file was written since, whatever else was done to it', async () => {
  const path = join(makeFolder(), 'xvda.raw');
  await writeFile(path, 'bytes');
  // Long ago: what was written a moment ago may have the same time.
  await utimes(path, 1, 1);
  const before = await writeStamp(path);
  await readFile(path);
  await chmod(path, 0o400);
  await chmod(path, 0o600);
  const held = await open(path, 'r+');
  await held.sync();
  await held.close();
  expect(await writeStamp(path)).toBe(before);
  await appendFile(path, '!');
  expect(await writeStamp(path)).not.toBe(before);
});

rootTest(`a stamp tells whether a device was written since, and whether it is the same ${needsLoops}`, async () => {
  const file = join(makeFolder(), 'xvda.raw');
  await writeFile(file, Buffer.alloc(1_048_576));
  const device = privateLoop();
  await attach(device, file);
  try {
    const before = await writeStamp(device);
    const held = await open(device, 'r');
    await held.read(Buffer.alloc(4096), 0, 4096, 0);
    await held.close();
    expect(await writeStamp(device)).toBe(before);
    const writer = await open(device, 'r+');
    await writer.write(Buffer.alloc(4096, 1), 0, 4096, 0);
    await writer.sync();
    await writer.close();
    expect(await writeStamp(device)).not.toBe(before);
  } finally {
    await detach(device);
  }
});

test('what does not tell when it was written has no stamp', async () => {
  const folder = join(makeFolder(), 'folder');
  await expect(writeStamp(folder)).rejects.toMatchObject({ type: 'disk-missing' });
  await mkdir(folder);
  await expect(writeStamp(folder)).rejects.toMatchObject({ type: 'disk-unreadable' });
});
