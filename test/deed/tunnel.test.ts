import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { adopted, expectRefusal, makeHost, receives, removeHosts, vm } from './support.ts';
import type { TestHost } from './support.ts';

const publicKey = 'k'.repeat(43);

describe("the key of an end of a run's tunnel", () => {
  let source: TestHost;
  let destination: TestHost;
  let migrationId: string;
  beforeEach(async () => {
    [source, destination] = await Promise.all([makeHost(), makeHost()]);
    adopted(source);
    migrationId = open('tunnel');
  });
  afterEach(removeHosts);

  function open(method: 'tunnel' | 'sealed'): string {
    const id = randomUUID();
    const running = source.deeds.openRuns().find(({ role }) => role === 'source');
    const supersede = running === undefined ? {} : { supersede: running.migrationId };
    const to = destination.identity.name;
    receives(destination, source, source.deeds.open({ migrationId: id, ...vm, to, method, ...supersede }));
    return id;
  }

  test('is taken from the peer of the run, either way', () => {
    const theirs = source.deeds.signTunnel(migrationId, publicKey);
    expect(destination.deeds.checkTunnel(migrationId, theirs).body.publicKey).toBe(publicKey);
    const ours = destination.deeds.signTunnel(migrationId, publicKey);
    expect(source.deeds.checkTunnel(migrationId, ours)).toEqual(ours);
  });

  test("is refused when it is another host's, another run's, one's own, or changed", async () => {
    const stranger = await makeHost();
    adopted(stranger);
    const id = randomUUID();
    const offer = stranger.deeds.open({ migrationId: id, ...vm, to: destination.identity.name, method: 'tunnel' });
    expect(offer.body.token).toBe(2);
    const refused = (statement: unknown): void => {
      expectRefusal(() => destination.deeds.checkTunnel(migrationId, statement), 'bad-statement');
    };
    refused(stranger.deeds.signTunnel(id, publicKey));
    refused(destination.deeds.signTunnel(migrationId, publicKey));
    const good = source.deeds.signTunnel(migrationId, publicKey);
    refused({ ...good, body: { ...good.body, publicKey: 'l'.repeat(43) } });
    const next = open('tunnel');
    expectRefusal(() => destination.deeds.checkTunnel(next, good), 'bad-statement', /token/);
  });

  test('is neither signed nor taken in a run that is no tunnel, or has ended', () => {
    const theirs = source.deeds.signTunnel(migrationId, publicKey);
    destination.deeds.closeLanding(migrationId);
    expectRefusal(() => destination.deeds.checkTunnel(migrationId, theirs), 'run-closed');
    source.deeds.abort(migrationId);
    expectRefusal(() => source.deeds.signTunnel(migrationId, publicKey), 'run-closed');
    const sealed = open('sealed');
    expectRefusal(() => source.deeds.signTunnel(sealed, publicKey), 'deed-refused', /method is sealed/);
    expectRefusal(() => destination.deeds.signTunnel(sealed, publicKey), 'deed-refused', /method is sealed/);
  });
});
