import { createInterface } from 'node:readline';
import { PassThrough, Writable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import type { RunningProgram } from './access.ts';

const mostLines = 200;

/**
 * Lets a program that waits behind its gate begin, and exchanges bytes with it; null when the session ends before. What its gate and what a shell prints
 * before are left out. It loses its pipes with the session.
 */
export function talkTo(
  channel: ClientChannel,
  { mark, onLine }: { mark: string; onLine: (line: string) => void },
): Promise<RunningProgram | null> {
  const { promise, resolve } = Promise.withResolvers<RunningProgram | null>();
  const stdout = new PassThrough();
  const said: string[] = [];
  let isErrorOwn = false;
  createInterface({ input: channel.stderr }).on('line', (line) => {
    if (isErrorOwn) {
      said.push(line);
      if (said.length > mostLines) said.shift();
      onLine(line);
    }
    isErrorOwn ||= line.endsWith(mark);
  });
  const ended: RunningProgram['ended'] = new Promise((end) => {
    let exit: { exitCode: number | null; lost: boolean } = { exitCode: null, lost: true };
    channel.on('exit', (exitCode: number | null) => {
      exit = { exitCode, lost: false };
    });
    channel.on('close', () => {
      stdout.end();
      resolve(null);
      end(exit);
    });
  });
  // Nobody takes what it writes any more.
  stdout.on('close', () => {
    channel.close();
  });
  const program: RunningProgram = {
    stdin: inputOf(channel),
    stdout,
    stderr: () => said.join('\n'),
    ended,
    leave: () => {
      stdout.destroy();
      channel.close();
    },
  };
  // Who writes to it, or reads from it, hears of it too.
  for (const one of [channel, channel.stderr, stdout, program.stdin]) one.on('error', () => undefined);
  const begin = Buffer.from(`${mark}\n`);
  let before: Buffer | null = Buffer.alloc(0);
  channel.on('data', (piece: Buffer) => {
    if (before !== null) {
      before = Buffer.concat([before, piece]);
      const at = before.indexOf(begin);
      if (at < 0) return;
      piece = before.subarray(at + begin.length);
      before = null;
      channel.write('go\n');
      resolve(program);
    }
    if (!stdout.destroyed && !stdout.write(piece)) channel.pause();
  });
  stdout.on('drain', () => channel.resume());
  return promise;
}

/** Its end, in whatever way, is the end of the program's input alone. */
function inputOf(channel: ClientChannel): Writable {
  return new Writable({
    write: (piece: Buffer, _encoding, done) => {
      if (channel.writable) channel.write(piece, done);
      else done(new Error('the session is over'));
    },
    final: (done) => {
      channel.end();
      done();
    },
    destroy: (_error, done) => {
      channel.end();
      done(null);
    },
  });
}
