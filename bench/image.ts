import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';

const pieceBytes = 1024 * 1024;

/** Makes a file of random bytes, a multiple of 1 MiB long, that is on the disk and not only in memory. */
export async function fillRandom(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    for (let at = 0; at < sizeBytes; at += pieceBytes) await file.write(randomBytes(pieceBytes));
    await file.sync();
  } finally {
    await file.close();
  }
}
