import { SealiftError } from '../domain/error.ts';
import { maximumManifestBytes } from '../seal/sizes.ts';
import { encodeManifestPart, manifestPartBytes } from './control.ts';

/** Puts a manifest together from frames that come in order on one connection. */
export class ManifestParts {
  #bytes: Buffer | null = null;
  #filled = 0;

  /** Returns the whole when `part` was the last one. Throws 'bad-frame' for a part out of order. */
  add({ offset, total, part }: { offset: number; total: number; part: Buffer }): Buffer | null {
    if (offset === 0) {
      if (total > maximumManifestBytes) throw new SealiftError('bad-frame', `a manifest has ${String(total)} bytes`);
      this.#bytes = Buffer.alloc(total);
      this.#filled = 0;
    }
    const bytes = this.#bytes;
    if (bytes?.length !== total || offset !== this.#filled) {
      throw new SealiftError('bad-frame', 'a part of a manifest is out of order');
    }
    this.#filled += part.copy(bytes, offset);
    if (this.#filled < total) return null;
    this.#bytes = null;
    return bytes;
  }
}

/** The payloads of the frames that carry a manifest. */
export function* manifestParts(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += manifestPartBytes) {
    yield encodeManifestPart(offset, bytes.length, bytes.subarray(offset, offset + manifestPartBytes));
  }
}
