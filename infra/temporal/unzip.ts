import { inflateRawSync } from 'node:zlib';

const endMagic = 0x06054b50;
const entryMagic = 0x02014b50;
const endBytes = 22;
const entryBytes = 46;
const localBytes = 30;

/**
 * Takes one file out of a zip, named by its entry. Plain zip only: no zip64, no encryption; methods store and deflate.
 * @throws Error when the bytes are no such zip or have no such entry.
 */
export function unzipEntry(zip: Buffer, name: string): Buffer {
  let at = zip.length - endBytes;
  while (at >= 0 && zip.readUInt32LE(at) !== endMagic) at--;
  if (at < 0) throw new Error('not a zip: no end record');
  let entry = zip.readUInt32LE(at + 16);
  for (let left = zip.readUInt16LE(at + 10); left > 0; left--) {
    if (zip.readUInt32LE(entry) !== entryMagic) throw new Error('not a zip: bad directory');
    const nameBytes = zip.readUInt16LE(entry + 28);
    if (zip.toString('utf8', entry + entryBytes, entry + entryBytes + nameBytes) === name) return content(zip, entry);
    entry += entryBytes + nameBytes + zip.readUInt16LE(entry + 30) + zip.readUInt16LE(entry + 32);
  }
  throw new Error(`the zip has no ${name}`);
}

function content(zip: Buffer, entry: number): Buffer {
  const method = zip.readUInt16LE(entry + 10);
  const packedBytes = zip.readUInt32LE(entry + 20);
  const plainBytes = zip.readUInt32LE(entry + 24);
  const local = zip.readUInt32LE(entry + 42);
  const from = local + localBytes + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const packed = zip.subarray(from, from + packedBytes);
  const plain = method === 0 ? packed : method === 8 ? inflateRawSync(packed, { maxOutputLength: plainBytes }) : null;
  if (plain?.length !== plainBytes) throw new Error('the zip entry is damaged');
  return plain;
}
