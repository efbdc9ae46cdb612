import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

test('a worker that is ready says so, and shows a watchdog again and again that its event loop turns', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-ready-'));
  const said = join(folder, 'said');
  // In place of systemd's own; one short write appends as a whole.
  await writeFile(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$1" >>'${said}'\n`, { mode: 0o755 });
  const ready = join(import.meta.dirname, '../../workers/ready.ts');
  // Runs until the watchdog was shown three signs of life.
  const script = `
    const { readFileSync } = await import('node:fs');
    (await import(${JSON.stringify(ready)})).announceReady({ host: 'lon-1' });
    setInterval(() => {
      try {
        if (readFileSync(${JSON.stringify(said)}, 'utf8').split('WATCHDOG=1').length > 3) process.exit(0);
      } catch {}
    }, 20);`;
  const env = { PATH: `${folder}:/usr/bin:/bin`, NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '100000' };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env });
  expect(JSON.parse(stdout)).toMatchObject({ ready: true, host: 'lon-1' });
  expect((await readFile(said, 'utf8')).split('\n')).toEqual(expect.arrayContaining(['--ready', 'WATCHDOG=1']));
  await rm(folder, { recursive: true });
});
