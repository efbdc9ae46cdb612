import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { z } from 'zod';
import { processFacts } from './process.ts';

const boot = z.object({ uuid: z.string(), name: z.string(), root: z.string(), pid: z.int(), domid: z.int() });

/** A domain that was started, on whatever stand-in host. */
export type ObservedBoot = z.infer<typeof boot>;

export interface Observer {
  /** For SEALIFT_LAB_OBSERVER, or the setting `observer` of the hosts. */
  path: string;
  /** Every domain that was ever started, in order; also those that then could not open their disks. */
  boots: ObservedBoot[];
  /** One line for each domain that was started while another one of its uuid lived: must stay empty. */
  doubles: string[];
  /** The domains of a VM that live now. */
  living(uuid: string): ObservedBoot[];
  close(): Promise<void>;
}

/** Watches from outside, over all hosts, that no VM runs twice: every domain reports here before it opens a disk. */
export function startObserver(path: string): Promise<Observer> {
  const boots: ObservedBoot[] = [];
  const doubles: string[] = [];
  const open = new Map<Socket, ObservedBoot>();
  // The end of a killed process may be read after the begin of its successor: /proc decides.
  const living = (uuid: string): ObservedBoot[] =>
    [...open.values()].filter((one) => one.uuid === uuid && processFacts(one.pid) !== null);
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    socket.on('data', (part: string) => {
      text += part;
      if (!text.endsWith('\n') || open.has(socket)) return;
      const begun = boot.parse(JSON.parse(text));
      const others = living(begun.uuid).map((one) => `${one.root} domain ${String(one.domid)}`);
      if (others.length > 0)
        doubles.push(
          `${begun.name} was started in ${begun.root} as domain ${String(begun.domid)} beside ${others.join(', ')}`,
        );
      boots.push(begun);
      open.set(socket, begun);
    });
  });
  const close = async (): Promise<void> => {
    for (const socket of open.keys()) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      resolve({ path, boots, doubles, living, close });
    });
  });
}
