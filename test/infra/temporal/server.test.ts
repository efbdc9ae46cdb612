import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { openConnection } from '../../../client/connect.ts';
import { findServerBinary } from '../../../infra/temporal/server-binary.ts';
import { startServer } from '../../../infra/temporal/server.ts';
import { unzipEntry } from '../../../infra/temporal/unzip.ts';
import { missingSearchAttributes } from '../../../workers/search-attributes.ts';
import { nativeConnection } from '../../../workers/connection.ts';
import { startControlWorker } from '../../../workers/control.ts';
import { testCache } from '../../support/cache.ts';

let folder = '';
const { PATH, SEALIFT_TEMPORAL_CLI } = process.env;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-server-'));
});
afterEach(async () => {
  process.env.PATH = PATH;
  if (SEALIFT_TEMPORAL_CLI === undefined) delete process.env.SEALIFT_TEMPORAL_CLI;
  else process.env.SEALIFT_TEMPORAL_CLI = SEALIFT_TEMPORAL_CLI;
  await rm(folder, { recursive: true, force: true });
});

describe('the binary', () => {
  test('named by the environment is taken, or refused when it is too old', async () => {
    process.env.SEALIFT_TEMPORAL_CLI = await program('new', 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)');
    expect(await findServerBinary(folder)).toMatchObject({ from: 'SEALIFT_TEMPORAL_CLI', version: /Server 1\.32\.0/ });
    process.env.SEALIFT_TEMPORAL_CLI = await program('old', 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)');
    await expect(findServerBinary(folder)).rejects.toMatchObject({
      type: 'bad-config',
      message: expect.stringContaining('is too old (1.5.1 (Server 1.29.1, UI 2.42.1))'),
      hint: expect.stringContaining('SEALIFT_TEMPORAL_CLI'),
    });
  });

  test('on PATH comes before one in the cache, unless it is too old', async () => {
    delete process.env.SEALIFT_TEMPORAL_CLI;
    process.env.PATH = folder;
    await program('temporal', 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)');
    expect(await findServerBinary(join(folder, 'cache'))).toMatchObject({
      from: 'PATH',
      path: join(folder, 'temporal'),
    });
    await program('temporal', 'temporal version 0.1 (Server 1.20.0, UI 2.0)');
    const cache = await mkdtemp(join(folder, 'cache-'));
    const cached = await program('temporal', 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)', cache);
    expect(await findServerBinary(cache)).toMatchObject({ from: 'cache', path: cached });
  });
});

describe('a zip', () => {
  const plain = Buffer.from('x'.repeat(10_000));
  test.each([0, 8])('gives its entry (method %i)', (method) => {
    const zip = Buffer.concat([Buffer.from('prefix'), zipOf('a/b', plain, method, 6)]);
    expect(unzipEntry(zip, 'a/b').equals(plain)).toBe(true);
    expect(() => unzipEntry(zip, 'a/c')).toThrow('the zip has no a/c');
  });

  test('that is cut short or grows beyond its size is refused', () => {
    const zip = zipOf('a', plain, 8, 0);
    expect(() => unzipEntry(zip.subarray(0, 40), 'a')).toThrow('not a zip');
    zip.writeUInt32LE(9_999, zip.readUInt32LE(zip.length - 6) + 24);
    expect(() => unzipEntry(zip, 'a')).toThrow();
  });
});

test("the server starts again on a killed parent's file; its control worker is a clean process", async () => {
  const { path: binary } = await findServerBinary(testCache);
  const first = await startServer({ binary, folder, headless: true });
  const settings = { address: first.address, namespace: 'default', connectionOptions: { address: first.address } };
  const connection = await openConnection(settings);
  expect(await missingSearchAttributes(connection, 'default')).toEqual([]);
  await connection.close();
  await expect(startServer({ binary, folder: join(folder, 'b'), port: portOf(first.address) })).rejects.toMatchObject({
    type: 'port-taken',
  });

  const script = new URL('../../../workers/control.ts', import.meta.url).pathname;
  const env = { TEMPORAL_ADDRESS: first.address };
  const control = execa(process.execPath, [script, testCache], { env, reject: false, stdin: 'ignore' });
  const [ready] = (await once(createInterface({ input: control.stdout }), 'line')) as [string];
  expect(JSON.parse(ready)).toEqual({ ready: true, worker: 'control', taskQueue: 'sealift', address: first.address });
  control.kill('SIGTERM');
  expect(await control).toMatchObject({ exitCode: 0 });

  // As a killed parent leaves it: alive, on the same file.
  const second = await startServer({ binary, folder, headless: true });
  await first.ended;
  expect(second.pid).not.toBe(first.pid);
  await second.stop();
  await expect(readFile(join(folder, 'temporal.pid'))).rejects.toThrow('ENOENT');

  const late = await execa(process.execPath, [script, testCache], { env, reject: false, stdin: 'ignore' });
  expect(late).toMatchObject({ exitCode: 5, stdout: '' });
  expect(late.stderr).toContain('[temporal-away]');
  const gone = { address: first.address, namespace: 'default', connectionOptions: { address: first.address } };
  await expect(startControlWorker({ settings: gone, bundleFolder: testCache })).rejects.toMatchObject({
    type: 'temporal-away',
  });
  await expect(nativeConnection(gone)).rejects.toMatchObject({ type: 'temporal-away' });
}, 90_000);

async function program(name: string, says: string, into = folder): Promise<string> {
  const path = join(into, name);
  await writeFile(path, `#!/bin/sh\necho '${says}'\n`);
  await chmod(path, 0o755);
  return path;
}

function portOf(address: string): number {
  return Number(address.split(':')[1]);
}

/** A zip with one entry, as PKWARE's note has it; `at` bytes stand before it. */
function zipOf(name: string, plain: Buffer, method: number, at: number): Buffer {
  const packed = method === 8 ? deflateRawSync(plain) : plain;
  const common = Buffer.alloc(22);
  common.writeUInt16LE(method, 4);
  common.writeUInt32LE(crc32(plain), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(plain.length, 18);
  const named = Buffer.from([name.length, 0, 0, 0]);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, named, Buffer.from(name)]);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(at, 10);
  const entry = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, named, tail, Buffer.from(name)]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(entry.length, 8);
  end.writeUInt32LE(at + local.length + packed.length, 12);
  return Buffer.concat([local, packed, entry, Buffer.from('PK\x05\x06'), end]);
}
