import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { errorCode } from '../../dom0/system-errors.ts';
import { SealiftError } from '../../domain/error.ts';
import { decodeMessage, encodeMessage } from './vici-message.ts';
import type { ViciMessage } from './vici-message.ts';

/** The packets that are used here: README.md of strongSwan's libvici, "Packet layer". */
const packet = { request: 0, response: 1, unknown: 2, register: 3, confirm: 5, unknownEvent: 6, event: 7 } as const;
/** What charon takes and gives at most. */
const mostBytes = 512 * 1024;
/** Answers that come at once; `initiate` has a limit of its own. */
const limitMs = 10_000;

/** charon's control socket, by which connections and keys come and go without any file. */
export class Vici {
  readonly #socket: Socket;
  readonly #waiting: { resolve: (packet: Buffer) => void; reject: (error: SealiftError) => void }[] = [];
  #received: Buffer = Buffer.alloc(0);
  #broken: SealiftError | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (part) => {
      this.#received = Buffer.concat([this.#received, part]);
      this.#deal();
    });
    socket.on('error', (error) => {
      this.#break(`broke off (${errorCode(error)})`);
    });
    socket.on('close', () => {
      this.#break('closed the connection');
    });
  }

  /** Lets `act` speak with the charon behind `path` and closes the connection. Throws `tunnel-down` when nobody answers there. */
  static async with<Result>(path: string, act: (vici: Vici) => Promise<Result>): Promise<Result> {
    const socket = connect({ path });
    try {
      await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    } catch (error) {
      throw new SealiftError('tunnel-down', `no strongSwan answers at ${path} (${errorCode(error)})`, {
        hint: 'start it (systemctl start strongswan), after installing charon-systemd; or name its socket in [tunnel]',
      });
    }
    const vici = new Vici(socket);
    try {
      return await act(vici);
    } finally {
      socket.destroy();
    }
  }

  /** Asks for a command. Throws `tunnel-down` when charon says that it failed, or goes away. */
  async ask(command: string, message: ViciMessage = {}, silentMs = limitMs): Promise<ViciMessage> {
    const answer = await this.#exchange(packet.request, command, message, silentMs);
    if (answer[0] !== packet.response) throw new SealiftError('tunnel-unready', `strongSwan has no ${command}`);
    const said = decodeMessage(answer.subarray(1));
    if (said.success === 'no') {
      const reason = typeof said.errmsg === 'string' ? said.errmsg : 'no reason given';
      throw new SealiftError('tunnel-down', `strongSwan does not ${command}: ${printable(reason)}`);
    }
    return said;
  }

  /** Asks for a command that tells what it lists by events of the name `event`. */
  async list(command: string, event: string): Promise<ViciMessage[]> {
    const registered = await this.#exchange(packet.register, event, null, limitMs);
    if (registered[0] !== packet.confirm) throw new SealiftError('tunnel-unready', `strongSwan has no ${event}`);
    const listed: ViciMessage[] = [];
    for (let next = await this.#exchange(packet.request, command, {}, limitMs); ; next = await this.#next(limitMs)) {
      if (next[0] !== packet.event) return listed;
      listed.push(decodeMessage(next.subarray(2 + (next[1] ?? 0))));
    }
  }

  #exchange(kind: number, name: string, message: ViciMessage | null, silentMs: number): Promise<Buffer> {
    const text = Buffer.from(name);
    const body = [Buffer.from([kind, text.length]), text, ...(message === null ? [] : [encodeMessage(message)])];
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.reduce((sum, part) => sum + part.length, 0));
    const next = this.#next(silentMs);
    this.#socket.write(Buffer.concat([length, ...body]));
    return next;
  }

  async #next(silentMs: number): Promise<Buffer> {
    if (this.#broken !== null) throw this.#broken;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#waiting.push({ resolve, reject });
    const timer = setTimeout(() => {
      this.#break(`did not answer in ${String(silentMs)} ms`);
    }, silentMs);
    this.#deal();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives whole packets to who waits for them. */
  #deal(): void {
    while (this.#waiting.length > 0 && this.#received.length >= 4) {
      const bytes = this.#received.readUInt32BE(0);
      if (bytes < 1 || bytes > mostBytes) {
        this.#break(`says ${String(bytes)} bytes at once`);
        return;
      }
      if (this.#received.length < 4 + bytes) return;
      const whole = this.#received.subarray(4, 4 + bytes);
      this.#received = this.#received.subarray(4 + bytes);
      this.#waiting.shift()?.resolve(whole);
    }
  }

  #break(how: string): void {
    this.#broken ??= new SealiftError('tunnel-down', `strongSwan ${how}`);
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#broken);
  }
}

function printable(text: string): string {
  return text.slice(0, 200).replace(/[^ -~]/g, '?');
}
