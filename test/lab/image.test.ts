import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { makeDemoDisks } from '../../infra/lab/image.ts';

test('the demonstration disks are an ext4 file system, a third of it zeros, and an empty data disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-image-'));
  try {
    const systemMib = 128;
    const [system, data] = await makeDemoDisks(folder, { systemMib });
    expect((await stat(data?.path ?? '')).size).toBe(data?.sizeBytes);
    const file = await open(system?.path ?? '', 'r');
    const chunk = Buffer.alloc(4 * 1024 * 1024);
    let zeros = 0;
    for (let index = 0; index < systemMib / 4; index += 1) {
      await file.read(chunk, 0, chunk.length, index * chunk.length);
      if (index === 0) expect(chunk.readUInt16LE(1024 + 56)).toBe(0xef53);
      if (chunk.equals(Buffer.alloc(chunk.length))) zeros += 1;
    }
    await file.close();
    expect(zeros / (systemMib / 4)).toBeGreaterThan(0.2);
    expect(zeros / (systemMib / 4)).toBeLessThan(0.45);
    const made = (await stat(system?.path ?? '')).mtimeMs;
    await makeDemoDisks(folder, { systemMib });
    expect((await stat(system?.path ?? '')).mtimeMs).toBe(made);
  } finally {
    await rm(folder, { recursive: true });
  }
});
