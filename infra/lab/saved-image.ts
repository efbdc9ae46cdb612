import { closeSync, openSync, readFileSync, writeSync } from './fs.ts';
import type { GuestConfig } from './guest-config.ts';
import type { GuestMemory } from './record-writer.ts';

/** What `xl save` keeps of a domain. */
export interface SavedImage {
  config: GuestConfig;
  memory: GuestMemory | null;
}

/** The first bytes of every file that xl saves; xendomains looks for them. */
const magic = Buffer.from('Xen saved domain, xl format\n \0 \r');
const end = Buffer.from('END.');
/** Stands for the guest's pages: enough that a file can be cut short in them. */
const pageBytes = 64 * 1024;

/** Writes an image; `halfWay` is called when a part of the pages is in the file. */
export function writeImage(path: string, image: SavedImage, halfWay: () => void): void {
  const file = openSync(path, 'w', 0o600);
  try {
    const text = Buffer.from(JSON.stringify(image));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    writeSync(file, Buffer.concat([magic, length, text, Buffer.alloc(pageBytes / 2, 1)]));
    halfWay();
    writeSync(file, Buffer.concat([Buffer.alloc(pageBytes / 2, 2), end]));
  } finally {
    closeSync(file);
  }
}

/** Length of the configuration in an image, which xl prints. */
export function imageInfo(image: SavedImage): string {
  return `0x3/0x0/${String(JSON.stringify(image).length)}`;
}

/** Reads an image: null when it is none; `whole` is false when its pages are cut short. */
export function readImage(path: string): { image: SavedImage; whole: boolean } | null {
  const bytes = readFileSync(path);
  if (!bytes.subarray(0, magic.length).equals(magic)) return null;
  const textAt = magic.length + 4;
  const pagesAt = textAt + (bytes.length < textAt ? 0 : bytes.readUInt32BE(magic.length));
  if (bytes.length < pagesAt || pagesAt === textAt) return null;
  const image = JSON.parse(bytes.toString('utf8', textAt, pagesAt)) as SavedImage;
  // The stream says itself where it ends: what follows is not read.
  const endAt = pagesAt + pageBytes;
  return { image, whole: bytes.subarray(endAt, endAt + end.length).equals(end) };
}
