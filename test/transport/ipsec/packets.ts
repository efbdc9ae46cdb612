import { encodeMessage } from '../../../transport/ipsec/vici-message.ts';
import type { ViciMessage } from '../../../transport/ipsec/vici-message.ts';

/** Whole packets with these bodies, as strongSwan writes them on its control socket. */
export function packets(...bodies: Buffer[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      return [length, body];
    }),
  );
}

/** The bodies of packets: an answer, the word that events will come, and one of them. */
export const response = (message: ViciMessage = {}): Buffer =>
  Buffer.concat([Buffer.from([1]), encodeMessage(message)]);
export const confirmation = Buffer.from([5]);
export const event = (name: string, message: ViciMessage = {}): Buffer =>
  Buffer.concat([Buffer.from([7, name.length]), Buffer.from(name), encodeMessage(message)]);
