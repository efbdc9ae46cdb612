import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { notThere } from '../dom0/system-errors.ts';
import { isSavedHead, maximumConfigBytes, optionalBytes, savedHeadBytes, savedMagic } from './saved-head.ts';

const savedConfig = z.looseObject({ c_info: z.looseObject({ name: z.string(), uuid: z.string().optional() }) });

/** Whether a file begins as an image of `xl save` does. Throws when it cannot be read. */
export async function isSavedImage(path: string): Promise<boolean> {
  const file = await dom0().open(path, 'read');
  try {
    const head = Buffer.alloc(savedMagic.length);
    await file.read(head, 0, head.length, 0);
    return head.toString('latin1') === savedMagic;
  } finally {
    await file.close();
  }
}

/** Whose memory an image of `xl save` holds, from the configuration at its head; null when the file is something else. */
export async function readSavedImage(path: string): Promise<{ name: string; uuid: string | null } | null> {
  const file = await dom0().open(path, 'read');
  try {
    const head = Buffer.alloc(savedHeadBytes);
    const { bytesRead } = await file.read(head, 0, savedHeadBytes, 0);
    if (bytesRead < savedHeadBytes || !isSavedHead(head)) return null;
    const optional = Buffer.alloc(Math.min(optionalBytes(head), maximumConfigBytes));
    const got = await file.read(optional, 0, optional.length, savedHeadBytes);
    if (got.bytesRead < 4) return null;
    const json = optional.toString('utf8', 4, Math.min(4 + optional.readUInt32LE(0), got.bytesRead));
    const { c_info: about } = savedConfig.parse(JSON.parse(json.replace(/\0+$/, '')));
    return { name: about.name, uuid: about.uuid?.toLowerCase() ?? null };
  } catch (error) {
    return notThere(error);
  } finally {
    await file.close();
  }
}
