import { join } from 'node:path';
import { execa } from 'execa';
import { makeDemoDisks } from '../lab/image.ts';
import { addLabVm } from '../lab/lab-host.ts';
import type { StandInHost } from '../stand-in-host.ts';

/** Makes the demonstration's VM on a stand-in host and starts it by the host's own `xl`, as an administrator would. */
export async function makeDemoVm(host: StandInHost, name: string): Promise<void> {
  const disks = await makeDemoDisks(join(host.poolPath, name));
  const { configPath } = await addLabVm(host.lab, { name, memoryMib: 256, autostart: true, disks });
  await execa('xl', ['create', configPath], { env: host.env });
}
