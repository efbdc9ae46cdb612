import { z } from 'zod';
import type { EspProposal } from '../../domain/host-file.ts';
import { SealiftError } from '../../domain/error.ts';
import type { Vici } from './vici.ts';

/** What an SA of a tunnel has carried, counted by strongSwan: bytes of the packets inside. While it is rekeyed there are two. */
export interface CountedSa {
  spi: string;
  packetsIn: number;
  bytesOut: number;
}

const count = z.coerce.number().int().min(0).default(0);
const child = z.object({
  state: z.string(),
  'spi-out': z.string(),
  'encr-alg': z.string().optional(),
  'encr-keysize': z.string().optional(),
  'integ-alg': z.string().optional(),
  'packets-in': count,
  'bytes-out': count,
});
const listed = z.record(
  z.string(),
  z.object({ state: z.string(), 'child-sas': z.record(z.string(), child).default({}) }),
);

/** How strongSwan names what a proposal asks for. */
const agreed: Record<EspProposal, string> = {
  aes256gcm16: 'AES_GCM_16 256',
  aes128gcm16: 'AES_GCM_16 128',
  'aes256-sha256': 'AES_CBC 256 HMAC_SHA2_256_128',
};

/**
 * Counts what the tunnel named `name` has carried. Throws `tunnel-down` unless an SA of it is installed, with the cipher that
 * was agreed on.
 */
export async function countTunnel(vici: Vici, name: string, esp: EspProposal): Promise<[CountedSa, ...CountedSa[]]> {
  const found = (await vici.list('list-sas', 'list-sa')).flatMap((event) => {
    const parsed = listed.safeParse(event);
    return parsed.success && parsed.data[name] !== undefined ? [parsed.data[name]] : [];
  });
  const children = found.flatMap((one) => Object.values(one['child-sas']));
  const installed = children.filter(({ state }) => ['INSTALLED', 'REKEYING', 'REKEYED'].includes(state));
  for (const one of installed) {
    const cipher = [one['encr-alg'], one['encr-keysize'], one['integ-alg']]
      .filter((word) => word !== undefined)
      .join(' ');
    if (cipher !== agreed[esp])
      throw new SealiftError('tunnel-unready', `the SA of ${name} has ${cipher}, not ${agreed[esp]}`);
  }
  const [first, ...others] = installed.map((one) => ({
    spi: one['spi-out'],
    packetsIn: one['packets-in'],
    bytesOut: one['bytes-out'],
  }));
  if (first === undefined) throw new SealiftError('tunnel-down', `strongSwan has no installed SA of ${name}`);
  return [first, ...others];
}
