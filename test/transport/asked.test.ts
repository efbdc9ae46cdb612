import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { LandingConnection } from '../../transport/landing-connection.ts';
import type { ConnectionHost } from '../../transport/landing-connection.ts';
import { encodeOpening, openingKind } from '../../transport/opening.ts';
import { Slots } from '../../transport/slots.ts';

test('a connection waits for this host from its question until it is refused, and is then over', async () => {
  const asked = Promise.withResolvers<undefined>();
  const gone = Promise.withResolvers<undefined>();
  const host: ConnectionHost = {
    thread: 0,
    threads: 1,
    slots: new Slots(1),
    tell: ({ kind }) => {
      if (kind === 'asked') asked.resolve(undefined);
    },
    gone: () => {
      gone.resolve(undefined);
    },
  };
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const connection = new LandingConnection('1', accepted, host);
  near.write(encodeOpening(openingKind.question, Buffer.from('??')));
  await asked.promise;
  expect(connection.asked).toBe(true);
  connection.refuse({ type: 'bad-statement', message: 'no' });
  await gone.promise;
  expect(connection.asked).toBe(false);
  near.destroy();
  server.close();
});
