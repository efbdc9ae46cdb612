import { alignedBuffer, pageBytes } from './aligned.ts';
import { openDisk } from './disk.ts';

export type DiskFormat = 'raw' | 'qcow2' | 'vhd' | 'vmdk';

/**
 * What an image is by its magic bytes, whatever a configuration calls it: Xen serves a qcow2 without `format=qcow2` as raw
 * bytes. `vhd` stands for VHDX too. A guest can write such bytes to a raw disk, so a surprise is for a person to judge.
 * Errors are those of `openDisk`.
 */
export async function probeFormat(path: string): Promise<DiskFormat> {
  const disk = await openDisk(path, 'read');
  try {
    const page = alignedBuffer(pageBytes);
    await disk.read(page, 0, Math.min(pageBytes, disk.sizeBytes));
    const format = formatOf(page.toString('latin1', 0, 32));
    if (format !== 'raw') return format;
    // A fixed VHD is the raw disk and a footer of one sector.
    const lastPageBytes = disk.sizeBytes % pageBytes || pageBytes;
    const footerBytes = Math.min(512, lastPageBytes);
    page.fill(0);
    await disk.read(page, disk.sizeBytes - lastPageBytes, lastPageBytes);
    return page.toString('latin1', lastPageBytes - footerBytes, lastPageBytes).startsWith('conectix') ? 'vhd' : 'raw';
  } finally {
    await disk.close();
  }
}

/** Whether the image is a qcow2 (or its forerunner qcow). Errors are those of `openDisk`. */
export async function isQcow2(path: string): Promise<boolean> {
  return (await probeFormat(path)) === 'qcow2';
}

/**
 * Whether a qcow2 is marked as dirty or corrupt (the two lowest of its incompatible features): somebody has it open, or it was
 * not closed. An image of version 2 has no such marks. Errors are those of `openDisk`.
 */
export async function isDirtyQcow2(path: string): Promise<boolean> {
  const disk = await openDisk(path, 'read');
  try {
    const page = alignedBuffer(pageBytes);
    await disk.read(page, 0, Math.min(pageBytes, disk.sizeBytes));
    return page.readUInt32BE(4) >= 3 && (page.readUInt8(79) & 0b11) !== 0;
  } finally {
    await disk.close();
  }
}

function formatOf(head: string): DiskFormat {
  if (head.startsWith('QFI\xfb')) return 'qcow2';
  if (head.startsWith('conectix') || head.startsWith('vhdxfile')) return 'vhd';
  if (head.startsWith('KDMV') || head.startsWith('COWD') || head.startsWith('# Disk DescriptorFile')) return 'vmdk';
  return 'raw';
}
