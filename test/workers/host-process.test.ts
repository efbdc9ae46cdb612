import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { hostProcess } from '../../workers/host-process.ts';

test("systemd's host worker is started as the stand-in hosts' is", () => {
  const unit = readFileSync(join(import.meta.dirname, '../../infra/systemd/sealift-host.service'), 'utf8');
  const [, started = ''] = /^ExecStart=\S+ (.*)$/m.exec(unit) ?? [];
  expect(started.split(' ').filter((word) => word.startsWith('--'))).toEqual([...hostProcess.flags]);
  for (const [name, value] of Object.entries(hostProcess.env))
    expect(unit).toContain(`\nEnvironment=${name}=${value}\n`);
});
