/** What stands first in what `xl save` writes and `xl migrate` sends: an 8-bit text of 32 bytes (tools/xl/xl.h). */
export const savedMagic = 'Xen saved domain, xl format\n \0 \r';

/** Bytes before the optional data: magic, byte order, mandatory flags, optional flags, length of the optional data. */
export const savedHeadBytes = 32 + 4 * 4;

/** More than a domain's configuration, which is the optional data, ever takes. */
export const maximumConfigBytes = 1024 * 1024;

/** Where the head tells the length of the optional data. */
export const optionalBytesAt = 44;

const byteOrder = 0x01020304;

/** Whether `head`, at least `savedHeadBytes` long, begins with the magic and with the byte order of x86. */
export function isSavedHead(head: Buffer): boolean {
  return head.toString('latin1', 0, 32) === savedMagic && head.readUInt32LE(32) === byteOrder;
}

/** Bytes of the optional data, as the head tells it. */
export function optionalBytes(head: Buffer): number {
  return head.readUInt32LE(optionalBytesAt);
}
