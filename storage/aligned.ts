/** The unit of O_DIRECT that every file system and device takes, in bytes: buffers, positions and lengths keep to it. */
export const pageBytes = 4096;

const wasmPageBytes = 64 * 1024;

/** The part of the global that is used here: its types would come with all of the DOM's. */
declare const WebAssembly: {
  Memory: {
    new (size: { initial: number }): { readonly buffer: ArrayBuffer };
    new (size: { initial: number; maximum: number; shared: true }): { readonly buffer: SharedArrayBuffer };
  };
};

/**
 * A zeroed buffer of `bytes` that starts on a page, as O_DIRECT wants it. Node's own buffers are not aligned; the memory
 * of WebAssembly is. Each one reserves 8 GiB of address space (not of memory): make few, and keep them.
 */
export function alignedBuffer(bytes: number): Buffer<ArrayBuffer> {
  const memory = new WebAssembly.Memory({ initial: wasmPages(bytes) });
  return Buffer.from(memory.buffer, 0, bytes);
}

/** The same as memory that worker threads see without a copy; at least `bytes` long, rounded up to 64 KiB. */
export function alignedShared(bytes: number): SharedArrayBuffer {
  const pages = wasmPages(bytes);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return memory.buffer;
}

let page: Buffer | undefined;
let pageTurn: Promise<unknown> = Promise.resolve();

/** Lends the thread's one aligned page of 4096 bytes to `act` until it has ended; others wait for their turn, so `act` must not ask for it again. */
export async function withAlignedPage<T>(act: (page: Buffer) => Promise<T>): Promise<T> {
  const turn = pageTurn.then(() => act((page ??= alignedBuffer(pageBytes))));
  pageTurn = turn.catch(() => undefined);
  return await turn;
}

function wasmPages(bytes: number): number {
  return Math.ceil(bytes / wasmPageBytes);
}
