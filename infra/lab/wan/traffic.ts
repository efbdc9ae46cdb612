// What a line carries, measured inside its sites: `node traffic.ts sink ADDRESS` takes bytes on any port and says which; `node traffic.ts send
// ADDRESS PORT STREAMS MS` sends on so many connections for so long.
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';

const [role, address = '', ...words] = process.argv.slice(2);
if (role === 'sink') sink();
else send(words.map(Number));

function sink(): void {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).resume();
  });
  server.listen(0, address, () => {
    process.stdout.write(`${String((server.address() as AddressInfo).port)}\n`);
  });
}

function send([port = 0, streams = 0, ms = 0]: number[]): void {
  const piece = Buffer.alloc(256 * 1024, 'sealift');
  for (let one = 0; one < streams; one += 1) {
    const socket = connect(port, address);
    const fill = (): void => {
      while (socket.write(piece));
    };
    socket.on('connect', fill).on('drain', fill);
  }
  setTimeout(() => process.exit(0), ms);
}
