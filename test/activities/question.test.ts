import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { askDestination, exchange } from '../../activities/question.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { Identity } from '../../deed/identity.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import { openDatabase } from '../../storage/database.ts';
import { Journal, journalTables } from '../../storage/journal.ts';
import { landingTables, startLanding } from '../../transport/landing.ts';
import { onLine } from '../../transport/line.ts';
import { openingKind } from '../../transport/opening.ts';
import { startProxy } from '../transport/proxy.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const content = {
  vmUuid: '11111111-2222-3333-4444-555555550001',
  vmName: 'web-1',
  config: 'name = "web-1"\nkernel = "/boot/secret"\ndisk = ["/a,,xvda,w"]\nvif = ["bridge=dmz"]\n',
  disks: ['xvda'],
};

/** A destination with a real landing that trusts the source, and a source that asks it. */
async function setUp(xen = ''): Promise<{
  source: { identity: Identity };
  destination: { identity: string; landing: { address: string; port: number } };
  folder: string;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-question-'));
  closing.push(() => rm(folder, { recursive: true }));
  const [source, destination] = [await createIdentity(join(folder, 'a')), await createIdentity(join(folder, 'b'))];
  await mkdir(join(folder, 'net/br1'), { recursive: true });
  const text = `name = "fra-1"
site = "frankfurt"
state = "${folder}"
landing = { address = "127.0.0.1", port = 0 }
pool = [{ name = "fast", kind = "folder", path = "${folder}" }]
peer = [{ name = "lon-1", identity = "${source.name}" }]
xen.net = "${folder}/net"
${xen}`;
  const file = parseHostFile(text, 'host.toml');
  const database = openDatabase(join(folder, 'landing.db'), [journalTables, landingTables]);
  closing.push(() => {
    database.close();
  });
  const landing = await startLanding({
    address: '127.0.0.1',
    port: 0,
    database,
    journal: new Journal(database, 'landing'),
    authorize: () => Promise.reject(new Error('no run here')),
    exchange: () => exchange({ identity: destination, file }),
    threads: 1,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  closing.push(() => landing.close());
  return {
    source: { identity: source },
    destination: { identity: destination.name, landing: { address: '127.0.0.1', port: landing.port } },
    folder,
  };
}

describe('a question about a configuration', () => {
  test('is answered by the maps of the destination, with no path in it', async () => {
    const { source, destination } = await setUp('[xen.bridges]\ndmz = "br1"');
    const answer = await askDestination(source, destination, content);
    expect(answer.concerns.map(({ name }) => name)).toEqual(['unmapped-kernel']);
    expect(answer.changes).toContain('vif 0: bridge dmz → br1');
    expect(JSON.stringify(answer)).not.toContain('secret');
  });

  test('finds a mapped file that is not there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sealift-question-'));
    closing.push(() => rm(folder, { recursive: true }));
    const { source, destination } = await setUp(
      `[xen.paths]\n"/boot/secret" = "${folder}/kernel"\n[xen.bridges]\ndmz = "br1"`,
    );
    const before = await askDestination(source, destination, content);
    expect(before.concerns.map(({ name, text }) => `${name}: ${text}`)).toEqual([
      'dom0-file-missing: kernel leads to a file that is not on fra-1',
    ]);
    await writeFile(join(folder, 'kernel'), '');
    expect((await askDestination(source, destination, content)).concerns).toEqual([]);
  });

  test('that does not parse is a concern, not an error', async () => {
    const { source, destination } = await setUp();
    const answer = await askDestination(source, destination, { ...content, config: 'disk = [ "/a,,xvda",' });
    expect(answer.concerns.map(({ name }) => name)).toEqual(['config-syntax']);
  });

  test('is asked of nobody but the pinned destination', async () => {
    const { source, destination, folder } = await setUp();
    const other = await createIdentity(join(folder, 'c'));
    await expect(askDestination(source, { ...destination, identity: other.name }, content)).rejects.toMatchObject({
      type: 'bad-statement',
    });
    await expect(askDestination({ identity: other }, destination, content)).rejects.toMatchObject({
      type: 'unknown-peer',
    });
  });

  test('of another connection is refused, and so is one without a key', async () => {
    const { source, destination } = await setUp();
    // What somebody on the line records, he asks again.
    const proxy = await startProxy(destination.landing.port);
    closing.push(() => proxy.close());
    const sent: Buffer[] = [];
    proxy.onFrame = ({ bytes }) => {
      sent.push(bytes);
      return [bytes];
    };
    await askDestination(source, { ...destination, landing: { address: '127.0.0.1', port: proxy.port } }, content);
    expect(Buffer.concat(sent).includes('secret')).toBe(false);
    const question = (sent[1] ?? Buffer.alloc(0)).subarray(12);
    const replayed = onLine(destination.landing, async (line) => {
      await line.ask(openingKind.ask, Buffer.alloc(32), openingKind.askKey);
      return line.ask(openingKind.question, question, openingKind.answer);
    });
    await expect(replayed).rejects.toMatchObject({
      type: 'bad-statement',
      message: expect.stringContaining('another host or connection'),
    });
    const keyless = onLine(destination.landing, (line) => line.ask(openingKind.question, question, openingKind.answer));
    await expect(keyless).rejects.toMatchObject({ type: 'bad-frame' });
  });
});
