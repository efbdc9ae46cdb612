import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const answer = z.looseObject({
  return: z.unknown().optional(),
  error: z.looseObject({ desc: z.string() }).optional(),
  event: z.string().optional(),
});

/**
 * Gives a command to the monitor for people of the QEMU that listens on `socketPath` (QMP), and waits until it has ended. Throws with what
 * QEMU answered when that is not nothing.
 */
export async function monitorCommand(socketPath: string, command: string): Promise<void> {
  const socket = connect(socketPath);
  try {
    const answers = lines(socket);
    await answers.next(); // the greeting
    await ask(socket, answers, { execute: 'qmp_capabilities' });
    const said = await ask(socket, answers, {
      execute: 'human-monitor-command',
      arguments: { 'command-line': command },
    });
    if (said !== '') throw new Error(`QEMU's monitor: ${command}: ${String(said).trim()}`);
  } finally {
    socket.destroy();
  }
}

async function ask(socket: Socket, answers: AsyncIterator<string, void>, request: object): Promise<unknown> {
  socket.write(`${JSON.stringify(request)}\n`);
  for (;;) {
    const next = await answers.next();
    if (next.done === true) throw new Error('QEMU ended while it was asked');
    const said = answer.parse(JSON.parse(next.value));
    if (said.event !== undefined) continue;
    if (said.error !== undefined) throw new Error(`QEMU's monitor: ${said.error.desc}`);
    return said.return;
  }
}

/** The lines of a stream; ends with it, also when that breaks. */
async function* lines(socket: Socket): AsyncGenerator<string, void> {
  for await (const line of createInterface({ input: socket })) yield line;
}
