import type { Readable, Writable } from 'node:stream';

/** What sender and receiver of `xl migrate` say to each other beside the guest's memory (tools/xl/xl_migrate.c). */
export const messages = {
  banner: 'xl migration receiver ready, send binary domain data.\n',
  ready: 'domain received, ready to unpause\0',
  go: 'domain is yours, you are cleared to unpause\0',
  report: 'my copy unpause results are as follows\0',
} as const;

const magic = 'Xen saved domain, xl format\n \0 \r';
const byteOrder = 0x01020304;
/** Bits of the mandatory flags: the configuration is JSON; the stream is of version 2. */
const flags = { json: 1, streamV2: 2 } as const;
export const headBytes = 48;
/** Pieces of the stand-in's stream, of which an end says that it is whole. */
export const pieceBytes = 64 * 1024;
export const end = Buffer.from('END.');

/** The head of a stream and the configuration behind it. */
export function encodeHead(json: string): Buffer {
  const head = Buffer.alloc(headBytes + 4);
  const config = Buffer.from(`${json}\0`);
  head.write(magic, 0, 'latin1');
  for (const [at, value] of [byteOrder, flags.json | flags.streamV2, 0, 4 + config.length, config.length].entries())
    head.writeUInt32LE(value, 32 + 4 * at);
  return Buffer.concat([head, config]);
}

/** What a head of 48 bytes says; null when it is none. `info` is as xl prints it. */
export function decodeHead(head: Buffer): { json: boolean; bytes: number; info: string } | null {
  if (head.toString('latin1', 0, 32) !== magic || head.readUInt32LE(32) !== byteOrder) return null;
  const [mandatory, optional, bytes] = [36, 40, 44].map((at) => head.readUInt32LE(at)) as [number, number, number];
  const info = `0x${mandatory.toString(16)}/0x${optional.toString(16)}/${String(bytes)}`;
  return { json: (mandatory & flags.json) !== 0, bytes, info };
}

/** Takes bytes from a stream in pieces of exact length. */
export class ExactReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Null when the stream ends, or breaks, before. */
  async take(bytes: number): Promise<Buffer | null> {
    while (this.#waiting.length < bytes) {
      const next = await this.#chunks.next().catch(() => ({ done: true as const, value: undefined }));
      if (next.done === true) return null;
      this.#waiting = Buffer.concat([this.#waiting, next.value]);
    }
    const taken = this.#waiting.subarray(0, bytes);
    this.#waiting = this.#waiting.subarray(bytes);
    return taken;
  }

  /** Whether exactly that message comes. */
  async takes(message: string): Promise<boolean> {
    return (await this.take(message.length))?.toString('latin1') === message;
  }
}

/** Resolves when the stream has taken it; rejects when nobody reads it any more. */
export function put(stream: Writable, bytes: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}
