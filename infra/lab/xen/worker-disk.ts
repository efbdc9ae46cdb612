import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleHostWorker } from '../../bundle.ts';
import { packFolder } from './disk-image.ts';

/** Always the same, for a machine's snapshot knows the sizes of its disks. */
const diskBytes = 256 * 1024 ** 2;

/** The disk that dom0 mounts at /opt/sealift: this Node as `node`, and the host worker of these sources as `worker/host.js`. */
export async function makeWorkerDisk(image: string): Promise<void> {
  const folder = `${image}.folder`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await bundleHostWorker(join(folder, 'worker'));
  await copyFile(process.execPath, join(folder, 'node'));
  await packFolder(folder, image, diskBytes);
  await rm(folder, { recursive: true });
}
