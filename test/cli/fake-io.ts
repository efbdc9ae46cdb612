import { PassThrough } from 'node:stream';
import type { Io } from '../../cli/io.ts';
import { main } from '../../cli/main.ts';
import type { ConnectOptions, Sealift } from '../../client/index.ts';

export interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

export interface FakeIoOptions {
  terminal?: boolean;
  /** What a person types. */
  typed?: string;
  /** Called with the interrupt that Ctrl-C would be. */
  onListen?: (interrupt: () => void) => void;
  connected?: ConnectOptions[];
}

/** Runs a command line in this process against a client that a test made. */
export async function runCli(args: string[], sealift: Partial<Sealift>, options: FakeIoOptions = {}): Promise<Said> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const said = { stdout: '', stderr: '' };
  stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
  stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
  const isTTY = options.terminal === true;
  if (options.typed !== undefined) stdin.end(options.typed);
  const io: Io = {
    stdin: Object.assign(stdin, { isTTY }),
    stdout: Object.assign(stdout, { isTTY, columns: 100, rows: 40 }),
    stderr: Object.assign(stderr, { isTTY }),
    env: { NO_COLOR: '1' },
    connect: (settings) => {
      options.connected?.push(settings);
      return Promise.resolve({ close: () => Promise.resolve(), ...sealift } as Sealift);
    },
    onInterrupt(act) {
      options.onListen?.(act);
      return () => undefined;
    },
  };
  const code = await main(args, io);
  return { code, ...said };
}
