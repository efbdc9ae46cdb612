/** The unit of sealing, sending, acknowledging and resuming, in bytes. */
export const chunkBytes = 4 * 1024 * 1024;

/** How many chunks a disk of `sizeBytes` has; the last one may be shorter than `chunkBytes`. */
export function chunkCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / chunkBytes);
}

/** The length in bytes of chunk `index` of a disk of `sizeBytes`. */
export function chunkLength(sizeBytes: number, index: number): number {
  return Math.min(chunkBytes, sizeBytes - index * chunkBytes);
}
