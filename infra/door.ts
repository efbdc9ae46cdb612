import { connect, createServer } from 'node:net';

export interface Door {
  /** `host:port`. */
  address: string;
  close(): void;
}

/** One more address for a server that listens for this machine only, such as Temporal's development server: the port is the same. It does not keep this process alive. */
export async function openDoor(to: string, address: string): Promise<Door> {
  const [host = '', port = ''] = to.split(':');
  const door = createServer((from) => {
    const through = connect(Number(port), host);
    from.pipe(through).pipe(from);
    for (const socket of [from, through]) {
      socket.on('error', () => {
        from.destroy();
        through.destroy();
      });
    }
  });
  await new Promise<void>((done) => door.listen(Number(port), address, done));
  door.unref();
  return { address: `${address}:${port}`, close: () => void door.close() };
}
