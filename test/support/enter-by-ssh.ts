import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { enterDom0 } from '../../dom0/dom0.ts';
import { startSshd } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';

/** Every test of the file works on a dom0 beside it, which is this machine too. */
let sshd: LabSshd;
beforeAll(async () => {
  sshd = await startSshd();
  enterDom0({ ...sshd, owner: randomUUID() });
});
afterAll(async () => {
  enterDom0(null);
  await sshd.stop();
});
