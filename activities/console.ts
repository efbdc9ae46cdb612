import { join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import { notThere } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';

const pieceBytes = 65_536;

/** A log of a guest's console, and how long it was at some moment. */
export interface ConsoleLog {
  path: string;
  sizeBytes: number;
}

/**
 * The logs that xenconsoled keeps of a guest's console when it was started with `--log=guest` (xenconsoled(8)), as long as they are now. There are two names: a
 * guest that comes while it runs has another one until it is all there.
 */
export async function consoleLogs(folder: string, vmName: string): Promise<ConsoleLog[]> {
  const paths = [vmName, `${vmName}--incoming`].map((name) => join(folder, `guest-${name}.log`));
  return Promise.all(
    paths.map(async (path) => ({ path, sizeBytes: (await dom0().stat(path).catch(notThere))?.sizeBytes ?? 0 })),
  );
}

/** Passes when one of the logs holds `text` behind what it was; each look goes on where the one before has ended. */
export function saysOnConsole(logs: ConsoleLog[], text: string): () => Promise<string> {
  const sought = Buffer.from(text);
  const seen = logs.map((log) => ({ ...log, tail: Buffer.alloc(0) }));
  return async () => {
    for (const log of seen) {
      const status = await dom0().stat(log.path).catch(notThere);
      if (status === null) continue;
      // It was begun anew.
      if (status.sizeBytes < log.sizeBytes) log.sizeBytes = 0;
      for await (const piece of piecesBehind(log, status.sizeBytes)) {
        const all = Buffer.concat([log.tail, piece]);
        if (all.includes(sought)) return 'was seen';
        log.tail = all.subarray(Math.max(0, all.length - sought.length + 1));
      }
    }
    throw new SealiftError('probe-failed', 'was not seen');
  };
}

async function* piecesBehind(log: ConsoleLog, endBytes: number): AsyncGenerator<Buffer> {
  const file = await dom0().open(log.path, 'read');
  try {
    const into = Buffer.alloc(pieceBytes);
    while (log.sizeBytes < endBytes) {
      const lengthBytes = Math.min(pieceBytes, endBytes - log.sizeBytes);
      const { bytesRead } = await file.read(into, 0, lengthBytes, log.sizeBytes);
      if (bytesRead === 0) return;
      log.sizeBytes += bytesRead;
      yield Buffer.from(into.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
