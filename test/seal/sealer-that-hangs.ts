import { chunkBytes } from '../../domain/chunks.ts';
import { writeContainer } from '../../seal/container.ts';
import { keysOf, manifestOf, noise, readerOf, sessionBody, shapesOf, signed } from './support.ts';

// Writes a container to the path in its first argument, and hangs in the middle of it for its parent to kill.
const contents = [noise(3 * chunkBytes, 5)];
const shapes = shapesOf(contents);
const read = readerOf(contents);
setInterval(() => undefined, 1000);
await writeContainer({
  path: process.argv[2] ?? '',
  session: signed(sessionBody),
  keys: keysOf(),
  disks: shapes,
  read: (disk, index) => {
    if (index < 2) return read(disk, index);
    console.log('chunk 2 is being read');
    return new Promise<never>(() => undefined);
  },
  manifest: (digests) => manifestOf(shapes, digests),
  compress: true,
});
