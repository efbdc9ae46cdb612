import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Vici } from '../../../transport/ipsec/vici.ts';
import { confirmation, event, packets, response } from './packets.ts';

describe("strongSwan's control socket", () => {
  let folder: string;
  let path: string;
  let server: Server;
  /** Answers to one question after the other. */
  let answers: Buffer[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-vici-'));
    path = join(folder, 'charon.vici');
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => {
        const answer = answers.shift();
        if (answer === undefined) socket.destroy();
        // As a network might bring it.
        else for (const byte of answer) socket.write(Buffer.from([byte]));
      });
    });
    server.listen(path);
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  test('answers, in pieces too, and lists by events', async () => {
    answers = [
      packets(response({ daemon: 'charon' })),
      packets(confirmation),
      packets(event('list-sa', { one: { state: 'ESTABLISHED' } }), event('list-sa', { two: {} }), response()),
    ];
    await Vici.with(path, async (vici) => {
      expect(await vici.ask('version')).toEqual({ daemon: 'charon' });
      expect(await vici.list('list-sas', 'list-sa')).toEqual([{ one: { state: 'ESTABLISHED' } }, { two: {} }]);
    });
  });

  test.each([
    ['that it failed', packets(response({ success: 'no', errmsg: 'CHILD_SA\u001b failed' })), /CHILD_SA\? failed/],
    ['nothing in time', Buffer.alloc(0), /did not answer in 100 ms/],
    ['more than it may', Buffer.from([0xff, 0xff, 0xff, 0xff]), /4294967295 bytes/],
  ])('is told by tunnel-down when it says %s', async (_, answer, message) => {
    answers = [answer];
    const asked = Vici.with(path, (vici) => vici.ask('initiate', {}, 100));
    await expect(asked).rejects.toMatchObject({ type: 'tunnel-down', message: expect.stringMatching(message) });
  });

  test('is told when it goes away, does not know a command, or says what nobody understands', async () => {
    answers = [];
    await expect(Vici.with(path, (vici) => vici.ask('version'))).rejects.toMatchObject({ type: 'tunnel-down' });
    answers = [packets(Buffer.from([2]))];
    await expect(Vici.with(path, (vici) => vici.ask('fly'))).rejects.toMatchObject({ type: 'tunnel-unready' });
    answers = [packets(Buffer.from([1, 9, 9]))];
    await expect(Vici.with(path, (vici) => vici.ask('version'))).rejects.toMatchObject({ type: 'bad-frame' });
    server.close();
    await expect(Vici.with(path, (vici) => vici.ask('version'))).rejects.toMatchObject({ type: 'tunnel-down' });
  });
});
