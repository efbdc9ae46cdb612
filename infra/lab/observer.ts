import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { processFacts } from './process.ts';
import type { WrittenRecord } from './record-writer.ts';

const boot = z.object({
  uuid: z.string(),
  name: z.string(),
  root: z.string(),
  pid: z.int(),
  domid: z.int(),
  /** It may run; not while it is suspended, or has not arrived yet. */
  runs: z.boolean(),
});

const record = z.object({ sequence: z.int(), crc: z.int() });
const change = z.object({ runs: z.boolean() });

/** A domain that was started, on whatever stand-in host. */
export interface ObservedBoot extends z.infer<typeof boot> {
  /** What its guest has written and synced, in order, as it says itself. */
  records: WrittenRecord[];
}

export interface Observer {
  /** For SEALIFT_LAB_OBSERVER, or the setting `observer` of the hosts. */
  path: string;
  /** Every domain that was ever started, in order; also those that then could not open their disks. */
  boots: ObservedBoot[];
  /** One line for each domain that was started, or let go on, while another one of its uuid ran: must stay empty. */
  doubles: string[];
  /** The domains of a VM that live now. */
  living(uuid: string): ObservedBoot[];
  close(): Promise<void>;
}

/**
 * Watches from outside, over all hosts, that no VM runs twice: every domain reports here before it opens a disk, and then each
 * record that its guest has synced. `onBoot` is called for every domain that reports.
 */
export function startObserver(path: string, onBoot?: (boot: ObservedBoot) => void): Promise<Observer> {
  const boots: ObservedBoot[] = [];
  const doubles: string[] = [];
  const open = new Map<Socket, ObservedBoot>();
  // The end of a killed process may be read after the begin of its successor: /proc decides.
  const living = (uuid: string): ObservedBoot[] =>
    [...open.values()].filter((one) => one.uuid === uuid && processFacts(one.pid) !== null);
  const judge = (begun: ObservedBoot): void => {
    const others = living(begun.uuid).filter((one) => one !== begun && one.runs);
    if (!begun.runs || others.length === 0) return;
    const beside = others.map((one) => `${one.root} domain ${String(one.domid)}`).join(', ');
    doubles.push(`${begun.name} was started in ${begun.root} as domain ${String(begun.domid)} beside ${beside}`);
  };
  const begin = (socket: Socket, begun: ObservedBoot): void => {
    judge(begun);
    boots.push(begun);
    open.set(socket, begun);
    onBoot?.(begun);
  };
  const server = createServer((socket) => {
    const lines = createInterface({ input: socket });
    // The reader tells of the socket's errors too.
    for (const one of [socket, lines]) one.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    lines.on('line', (line) => {
      const told: unknown = JSON.parse(line);
      const known = open.get(socket);
      if (known === undefined) {
        begin(socket, { ...boot.parse(told), records: [] });
        return;
      }
      const changed = change.safeParse(told);
      if (!changed.success) {
        known.records.push(record.parse(told));
        return;
      }
      known.runs = changed.data.runs;
      judge(known);
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
