import { renameSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MiB } from '../../support/world.ts';
import type { Frame, Proxy } from '../../transport/proxy.ts';
import type { Point } from '../points.ts';
import type { Run } from '../run.ts';
import type { Fault } from './fault.ts';

/** By then the run is mostly over: it is judged when what was late has come. */
const lateMs = 30_000;
/** Until what is late is given up and sent anew, with some time to spare. */
const secondTryMs = 5_000;
/** Less than what a VM of the matrix comes to, so that there is a middle. */
const containerBytes = 9 * MiB;

/** What a network, or somebody in it, does to what goes between the hosts. */
export const networkFaults: Fault[] = [
  onTheWay('link cut', (_, line) => {
    line.cut();
  }),
  onTheWay('link stalled', (_, line) => {
    line.stall('both');
  }),
  onTheWay('link half open', (_, line) => {
    line.stall('forth');
  }),
  {
    ...onTheWay('frames 30 s late', (run, line) => {
      line.delay(lateMs);
      // As long as senders may send anew, and what they send comes so late.
      run.lateUntil = Date.now() + lateMs + secondTryMs;
    }),
    slow: true,
  },
  {
    name: 'frames doubled and reordered',
    passes: true,
    strike: shuffle,
    at: (point) => sealed(point) && isCarrying(point),
  },
  {
    ...onTheWay('bit flip', (run, line) => {
      spoilNext(run, line, flip);
    }),
    at: isCarrying,
  },
  {
    ...onTheWay('truncation', (run, line) => {
      spoilNext(run, line, cutShort);
    }),
    at: isCarrying,
  },
  {
    name: 'older frames replayed',
    afterReturn: true,
    slow: true,
    strike: (run) => (run.method === 'sealed' ? replay(run) : replayContainer(run)),
    at: (point) => (sealed(point) ? point.stage === 'move' : /after copy|before unseal/.test(point.name)),
  },
];

/** Does harm to what goes between the hosts now, or will soon. */
function onTheWay(name: string, harm: (run: Run, line: Proxy) => void): Fault {
  return {
    name,
    strike: (run) => {
      if (run.method !== 'sealed') {
        // No step of `staged` stands in the middle of its copy: it is harmed when so much of it has passed, greetings and all.
        const { sshLine } = run.stage;
        if (sshLine === null) throw new Error('staged needs an SSH server');
        onceUnderWay(run, sshLine, run.random.below(containerBytes), harm);
      } else if (run.proxy.isOpen) harm(run, run.proxy);
      else onceUnderWay(run, run.proxy, 0, harm);
    },
    passes: true,
    at: isSending,
  };
}

/** What is sent passes a proxy between the opening of the run and READY, a container by SSH before it is unsealed. */
function isSending(point: Point): boolean {
  const over = sealed(point)
    ? /after send|cede|accept|start|probe|receipt|READY/
    : /after copy|unseal|chunk|manifest|cede|accept|start|probe|receipt|READY/;
  return point.stage === 'move' && !over.test(point.name);
}

/** Chunks are still to come. */
function isCarrying(point: Point): boolean {
  return isSending(point) && !(sealed(point) && /last chunk|manifest/.test(point.name));
}

function sealed({ methods }: Point): boolean {
  return methods.includes('sealed');
}

function onceUnderWay(run: Run, line: Proxy, afterBytes: number, harm: (run: Run, line: Proxy) => void): void {
  const { stage, story, laid } = run;
  let passedBytes = 0;
  let harmed = false;
  laid.push(() => harmed);
  line.onFrame = (frame) => {
    stage.record(frame);
    passedBytes += frame.bytes.length;
    if (passedBytes >= afterBytes) {
      story.push(`harmed after ${String(passedBytes)} bytes`);
      stage.mendLink();
      harmed = true;
      harm(run, line);
    }
    return [frame.bytes];
  };
}

/** Every chunk comes twice, and in the order of pairs turned round, on whatever stream is next. */
function shuffle({ stage, proxy, laid }: Run): void {
  let shuffled = 0;
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
    shuffled += 1;
    return [frame.bytes, before.bytes, frame.bytes, before.bytes];
  };
  laid.push(() => shuffled > 0);
}

function spoilNext({ stage, laid }: Run, line: Proxy, spoil: (bytes: Buffer) => Buffer): void {
  let left = 1;
  laid.push(() => left === 0);
  line.onFrame = (frame) => {
    stage.record(frame);
    if (!['chunk', 'bytes'].includes(frame.kind) || frame.bytes.length < 1_000 || left === 0) return [frame.bytes];
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

/** All that was ever seen on the wire of this VM and of the one before it, once more: on connections of its own, and chunks in the middle of those there are. */
async function replay({ stage, proxy, laid }: Run): Promise<void> {
  const replayed = stage.earlierFrames.length + stage.frames.length;
  laid.push(() => replayed > 0);
  for (const frames of [stage.earlierFrames, stage.frames]) {
    const connections = Map.groupBy([...frames], ({ connection }) => connection);
    for (const [connection, own] of connections) {
      await play(proxy.farPort, own);
      for (const { kind, bytes } of own.slice(0, 4)) if (kind === 'chunk') proxy.inject(connection, bytes);
    }
    const newest = proxy.connections - 1;
    for (const { bytes, kind } of frames.slice(-4)) if (kind === 'chunk') proxy.inject(newest, bytes);
  }
}

/** The container of an earlier run of this VM lies where this run's has arrived. */
function replayContainer({ stage, migrationId, story, laid }: Run): void {
  const older = stage.olderContainer(migrationId);
  story.push(
    older === null ? 'no older container to replay' : 'an older container put in the place of the one that arrived',
  );
  if (older !== null) renameSync(older, stage.arrivedContainer(migrationId));
  laid.push(() => older !== null);
}

async function play(port: number, frames: Frame[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  for (const { bytes } of frames) if (!socket.destroyed) socket.write(bytes);
  await sleep(50);
  socket.destroy();
}
