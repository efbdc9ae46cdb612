import type { Io } from '../io.ts';

/** Gives each key as it is pressed, Ctrl-C as `ctrl-c`, until the returned function is called. */
export function listenKeys(stdin: Io['stdin'], act: (key: string) => void): () => void {
  const onData = (data: Buffer): void => {
    for (const key of data.toString('utf8')) act(key === '\x03' ? 'ctrl-c' : key);
  };
  stdin.setRawMode?.(true);
  stdin.on('data', onData);
  stdin.resume();
  return () => {
    stdin.off('data', onData);
    stdin.setRawMode?.(false);
    stdin.pause();
  };
}
