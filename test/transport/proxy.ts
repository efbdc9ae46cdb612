import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** One whole frame from the sender, as the wire has it; of a protocol that the proxy does not understand, what came at once. */
export interface Frame {
  kind: 'opening' | 'control' | 'chunk' | 'bytes';
  bytes: Buffer;
  /** Counts the proxy's connections from 0, and the frames of each from 0. */
  connection: number;
  number: number;
}

export interface Proxy {
  port: number;
  /** Where new connections go. */
  farPort: number;
  /** Bytes from senders to the far side, headers and all. */
  sentBytes: number;
  chunks: number;
  connections: number;
  /** Whether there is one now. */
  readonly isOpen: boolean;
  /** What goes on in place of a frame; the default is the frame itself. */
  onFrame: (frame: Frame) => Buffer[];
  /** Ends every connection at once, without a word. */
  cut(): void;
  /** From now on nothing goes to the landing (`forth`), to the sender (`back`) or in both directions, on the connections there are; they stay open. */
  stall(what: 'forth' | 'back' | 'both'): void;
  /** From now on what goes to the landing on the connections there are comes so much later, also when its sender is long gone. */
  delay(ms: number): void;
  /** Sends bytes to the landing on a connection, as if its sender had; false when it is gone. */
  inject(connection: number, bytes: Buffer): boolean;
  close(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
  connection: number;
  stalled: 'no' | 'forth' | 'back' | 'both';
  lateMs: number;
}

/**
 * A TCP proxy that does to what a sender sends what a test wants: before a landing, whose frames it understands, or before another server.
 */
export async function startProxy(
  farPort: number,
  listen: { address: string; port: number } = { address: '127.0.0.1', port: 0 },
  understand: typeof frames | typeof bytesOnly = frames,
): Promise<Proxy> {
  const pairs = new Set<Pair>();
  const late = new Set<NodeJS.Timeout>();
  const opened = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(proxy.farPort, '127.0.0.1');
    for (const socket of [near, far]) {
      opened.add(socket);
      socket.on('close', () => opened.delete(socket));
    }
    const connection = proxy.connections;
    const pair: Pair = { near, far, connection, stalled: 'no', lateMs: 0 };
    pairs.add(pair);
    const inTime = (act: () => void): void => {
      if (pair.lateMs === 0) act();
      else late.add(setTimeout(act, pair.lateMs));
    };
    proxy.connections += 1;
    const split = understand(connection, (frame) => {
      proxy.sentBytes += frame.bytes.length;
      if (frame.kind === 'chunk') proxy.chunks += 1;
      for (const bytes of proxy.onFrame(frame)) {
        if (pair.stalled === 'no' || pair.stalled === 'back')
          inTime(() => {
            if (far.writable) far.write(bytes);
          });
      }
    });
    near.on('data', (data) => {
      split(data);
      if (far.writableLength > 8 * 1024 * 1024) {
        near.pause();
        far.once('drain', () => near.resume());
      }
    });
    far.on('data', (data) => {
      if (pair.stalled === 'no' || pair.stalled === 'forth') near.write(data);
    });
    for (const [own, other] of [
      [near, far],
      [far, near],
    ] as const) {
      own.on('error', () => undefined);
      own.on('close', () => {
        pairs.delete(pair);
        inTime(() => void other.destroy());
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(listen.port, listen.address, resolve));
  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    farPort,
    sentBytes: 0,
    chunks: 0,
    connections: 0,
    get isOpen() {
      return pairs.size > 0;
    },
    onFrame: ({ bytes }) => [bytes],
    cut: () => {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
    },
    stall: (what) => {
      for (const pair of pairs) pair.stalled = what;
    },
    delay: (ms) => {
      for (const pair of pairs) pair.lateMs = ms;
    },
    inject: (connection, bytes) => [...pairs].some((pair) => pair.connection === connection && pair.far.write(bytes)),
    close: async () => {
      for (const timer of late) clearTimeout(timer);
      proxy.cut();
      for (const socket of opened) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

/** Passes on whatever comes as it comes. */
export function bytesOnly(connection: number, onFrame: (frame: Frame) => void): (data: Buffer) => void {
  let number = 0;
  return (bytes) => {
    onFrame({ kind: 'bytes', bytes, connection, number });
    number += 1;
  };
}

function frames(connection: number, onFrame: (frame: Frame) => void): (data: Buffer) => void {
  let rest: Buffer[] = [];
  let have = 0;
  let number = 0;
  return (data) => {
    rest.push(data);
    have += data.length;
    for (;;) {
      if (have < 12) return;
      if ((rest[0] as Buffer).length < 48 && rest.length > 1) rest = [Buffer.concat(rest)];
      const head = rest[0] as Buffer;
      const magic = head.toString('latin1', 0, 4);
      if (magic !== 'SLO1' && have < 48) return;
      const length = magic === 'SLO1' ? 12 + head.readUInt32BE(8) : 48 + head.readUInt32BE(magic === 'SLC1' ? 16 : 8);
      if (have < length) return;
      const all = Buffer.concat(rest);
      const bytes = all.subarray(0, length);
      rest = [all.subarray(length)];
      have -= length;
      onFrame({
        kind: magic === 'SLO1' ? 'opening' : magic === 'SLC1' ? 'chunk' : 'control',
        bytes,
        connection,
        number,
      });
      number += 1;
    }
  };
}
