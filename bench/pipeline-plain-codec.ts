import { zeroFlag } from '../seal/chunk.ts';
import type { Codec } from '../transport/codec.ts';

const noDigest = Buffer.alloc(32);
const noTag = Buffer.alloc(16);

/** The pipeline without sealing and without digests: same records, same reader, writer and read-back. For measuring only. */
export const codec: Codec = {
  keys: (session) => ({ context: session.context, diskKey: noDigest }),
  seal: (plain, at, _keys, _options, body) => {
    if (body.buffer !== plain.buffer) plain.copy(body);
    return { flags: 0, ...at, plainBytes: plain.length, bodyBytes: plain.length, tag: noTag };
  },
  open: (header, body, _keys, plain) => {
    if (header.flags === zeroFlag) plain.fill(0, 0, header.plainBytes);
    else if (body.buffer !== plain.buffer) body.copy(plain);
  },
  digest: () => noDigest,
  zeroDigest: () => noDigest,
};
