import { appendFile, chmod, mkdir, open, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { writeStamp } from '../../storage/write-stamp.ts';
import { makeFolder } from './support.ts';

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

test('what does not tell when it was written has no stamp', async () => {
  const folder = join(makeFolder(), 'folder');
  await expect(writeStamp(folder)).rejects.toMatchObject({ type: 'disk-missing' });
  await mkdir(folder);
  await expect(writeStamp(folder)).rejects.toMatchObject({ type: 'disk-unreadable' });
});
