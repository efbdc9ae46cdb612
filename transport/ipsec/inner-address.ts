import { createHash } from 'node:crypto';

/** Unique local addresses (RFC 4193) of this prefix are Sealift's; the rest tells runs apart, so that nobody has to choose any. */
export const innerPrefix = 'fd5e:a11f';

/** The addresses of a run inside its tunnel. `run`: `<lineage>/<token>`. */
export function innerAddresses(run: string): { source: string; destination: string } {
  const digest = createHash('sha256').update(`sealift tunnel ${run}`).digest('hex');
  const groups = [0, 4, 8].map((at) => digest.slice(at, at + 4).replace(/^0+(?=.)/, ''));
  // A zero here could be written in more than one way.
  const net = groups.map((group) => (group === '0' ? '1' : group)).join(':');
  return { source: `${innerPrefix}:${net}::1`, destination: `${innerPrefix}:${net}::2` };
}
