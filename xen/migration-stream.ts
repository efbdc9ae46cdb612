import { SealiftError } from '../domain/error.ts';
import { isSavedHead, maximumConfigBytes, optionalBytes, optionalBytesAt, savedHeadBytes } from './saved-head.ts';

/** What sender and receiver of `xl migrate` say to each other beside the guest's memory (tools/xl/xl.h, xl_migrate.c of Xen 4.17). */
export const migrationMessages = {
  /** The receiver, first. */
  banner: Buffer.from('xl migration receiver ready, send binary domain data.\n'),
  /** The receiver, when the guest is there as a whole. */
  ready: Buffer.from('domain received, ready to unpause\0'),
  /** The sender's last word. */
  go: Buffer.from('domain is yours, you are cleared to unpause\0'),
} as const;

const flagsAt = 36;
/** Of the mandatory flags: the configuration is JSON, and no text as in a file. */
const jsonFlag = 1;

/**
 * Puts a configuration of this host's in the place of the sender's, at the head of a migration's stream: which disks, bridges and files
 * a guest gets is not for its sender to say.
 */
export class ConfigSwap {
  readonly #config: Buffer;
  #head: Buffer = Buffer.alloc(0);
  #done = false;

  constructor(config: string) {
    this.#config = Buffer.from(config);
  }

  /** Takes the next bytes of the stream and gives those that go on. Throws 'bad-frame' for what is no such stream. */
  take(piece: Buffer): Buffer {
    if (this.#done) return piece;
    this.#head = Buffer.concat([this.#head, piece]);
    if (this.#head.length < savedHeadBytes) return Buffer.alloc(0);
    const configBytes = this.#checkedLength();
    if (this.#head.length < savedHeadBytes + configBytes) return Buffer.alloc(0);
    const head = Buffer.from(this.#head.subarray(0, savedHeadBytes));
    head.writeUInt32LE(head.readUInt32LE(flagsAt) & ~jsonFlag, flagsAt);
    head.writeUInt32LE(4 + this.#config.length, optionalBytesAt);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(this.#config.length);
    const rest = this.#head.subarray(savedHeadBytes + configBytes);
    this.#head = Buffer.alloc(0);
    this.#done = true;
    return Buffer.concat([head, length, this.#config, rest]);
  }

  #checkedLength(): number {
    if (!isSavedHead(this.#head)) throw new SealiftError('bad-frame', 'what comes is no stream of xl migrate');
    const bytes = optionalBytes(this.#head);
    if (bytes > maximumConfigBytes) throw new SealiftError('bad-frame', `its configuration has ${String(bytes)} bytes`);
    return bytes;
  }
}
