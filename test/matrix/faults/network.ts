import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from '../../transport/proxy.ts';
import type { Run } from '../run.ts';
import type { Fault } from './fault.ts';

/** As long as the issue asks for: by then the run is mostly over. */
const lateMs = 30_000;

/** What a network, or somebody in it, does to the frames between the hosts. */
export const networkFaults: Fault[] = [
  onTheWay('link cut', ({ proxy }) => {
    proxy.cut();
  }),
  onTheWay('link stalled', ({ proxy }) => {
    proxy.stall('both');
  }),
  onTheWay('link half open', ({ proxy }) => {
    proxy.stall('forth');
  }),
  onTheWay('frames 30 s late', ({ proxy }) => {
    proxy.delay(lateMs);
  }),
  onTheWay('frames doubled and reordered', shuffle),
  onTheWay('bit flip', (run) => {
    spoilNext(run, flip);
  }),
  onTheWay('truncation', (run) => {
    spoilNext(run, cutShort);
  }),
  { name: 'older frames replayed', strike: replay, at: (point) => point.stage === 'move' },
];

/** Bytes of `sealed` pass the proxy between the opening of the run and READY. */
function onTheWay(name: string, harm: (run: Run) => void): Fault {
  return {
    name,
    strike: harm,
    at: (point) =>
      point.stage === 'move' &&
      point.methods.includes('sealed') &&
      !/cede|accept|start|probe|receipt|READY/.test(point.name),
  };
}

/** Every chunk comes twice, and in the order of pairs turned round, on whatever stream is next. */
function shuffle({ stage, proxy }: Run): void {
  let held: Frame | null = null;
  proxy.onFrame = (frame) => {
    stage.record(frame);
    if (frame.kind !== 'chunk') return [frame.bytes];
    if (held === null) {
      held = frame;
      const own = frame;
      // None may follow.
      setTimeout(() => {
        if (held !== own) return;
        held = null;
        proxy.inject(own.connection, own.bytes);
      }, 300);
      return [];
    }
    const before = held;
    held = null;
    return [frame.bytes, before.bytes, frame.bytes, before.bytes];
  };
}

function spoilNext({ stage, proxy }: Run, spoil: (bytes: Buffer) => Buffer): void {
  let left = 1;
  proxy.onFrame = (frame) => {
    stage.record(frame);
    if (frame.kind !== 'chunk' || frame.bytes.length < 1_000 || left === 0) return [frame.bytes];
    left -= 1;
    return [spoil(frame.bytes)];
  };
}

function flip(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 2);
  flipped.writeUInt8(flipped.readUInt8(at) ^ 4, at);
  return flipped;
}

function cutShort(bytes: Buffer): Buffer {
  return bytes.subarray(0, Math.floor(bytes.length / 2));
}

/** All that was ever seen on the wire, once more: on connections of its own, and chunks in the middle of those there are. */
async function replay({ stage, proxy }: Run): Promise<void> {
  for (const frames of [stage.earlierFrames, stage.frames]) {
    const connections = Map.groupBy([...frames], ({ connection }) => connection);
    for (const [connection, own] of connections) {
      await play(proxy.landingPort, own);
      for (const { kind, bytes } of own.slice(0, 4)) if (kind === 'chunk') proxy.inject(connection, bytes);
    }
    const newest = proxy.connections - 1;
    for (const { bytes, kind } of frames.slice(-4)) if (kind === 'chunk') proxy.inject(newest, bytes);
  }
}

async function play(port: number, frames: Frame[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  for (const { bytes } of frames) if (!socket.destroyed) socket.write(bytes);
  await sleep(50);
  socket.destroy();
}
