import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Deeds } from '../../deed/deeds.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { Identity } from '../../deed/identity.ts';
import type { FencePlaces } from '../../deed/places.ts';
import { deedTables } from '../../deed/tables.ts';
import type { DeedRecord } from '../../deed/record.ts';
import type { Deed, Offer, Ready, Signed } from '../../domain/statement.ts';
import type { ErrorType } from '../../domain/error-types.ts';
import { openDatabase } from '../../storage/database.ts';
import type { Database } from '../../storage/database.ts';

/** A host as far as the deed goes: an identity and a database in a folder of its own. */
export interface TestHost {
  folder: string;
  identity: Identity;
  database: Database;
  deeds: Deeds;
}

const opened: TestHost[] = [];

export async function makeHost(): Promise<TestHost> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-deed-'));
  const identity = await createIdentity(folder);
  const database = openDatabase(join(folder, 'host.db'), [deedTables]);
  const host = { folder, identity, database, deeds: new Deeds(database, identity) };
  opened.push(host);
  return host;
}

/** For afterEach: closes and removes every host that was made. */
export async function removeHosts(): Promise<void> {
  for (const { folder, database } of opened.splice(0)) {
    database.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same host after its process has died: nothing but its files. */
export function reopened(host: TestHost): TestHost {
  host.database.close();
  const database = openDatabase(join(host.folder, 'host.db'), [deedTables]);
  const again = { ...host, database, deeds: new Deeds(database, host.identity) };
  opened.splice(opened.indexOf(host), 1, again);
  return again;
}

export function places(folder = '/srv/vm'): FencePlaces {
  return {
    disks: [{ vdev: 'xvda', path: `${folder}/xvda.raw` }],
    configPath: null,
    autostartPath: null,
    savedImagePath: null,
    luns: [],
    asideFolder: `${folder}/aside`,
  };
}

export const rootA = 'a'.repeat(64);
export const rootB = 'b'.repeat(64);
export const recipient = `age1${'q'.repeat(58)}`;
export const vm = { vmUuid: '6f1f7d1c-6d0b-4c3e-9b62-0d3f1c1f2a10', vmName: 'web-1' };

export function adopted({ deeds }: TestHost): DeedRecord {
  return deeds.adopt({ ...vm, by: 'operator' });
}

export function opens(source: TestHost, to: TestHost, migrationId: string = randomUUID()): Signed<Offer> {
  return source.deeds.open({ ...vm, migrationId, to: to.identity.name, method: 'sealed' });
}

export function receives(destination: TestHost, from: TestHost, offer: Signed<Offer>): void {
  const { token } = offer.body;
  const ask = { offer, from: from.identity.name, recipient, places: places(`/srv/landing-${String(token)}`) };
  destination.deeds.receive(ask);
}

/** Begins and proves the fence of a run, as far as the record knows. */
export function fences({ deeds }: Pick<TestHost, 'deeds'>, migrationId: string): void {
  deeds.endIntent(deeds.mayFence(migrationId, places(), false).intent.id, true);
  deeds.noteFenced(migrationId);
}

/** A move up to READY, with the source's own root read. */
export function readyMove(
  source: TestHost,
  destination: TestHost,
): { migrationId: string; offer: Signed<Offer>; ready: Signed<Ready> } {
  const migrationId = randomUUID();
  const offer = opens(source, destination, migrationId);
  receives(destination, source, offer);
  fences(source, migrationId);
  source.deeds.noteRead(migrationId, rootA);
  return { migrationId, offer, ready: destination.deeds.ready(migrationId, rootA) };
}

/** A whole move. */
export function moved(source: TestHost, destination: TestHost): { migrationId: string; deed: Signed<Deed> } {
  const { migrationId, ready } = readyMove(source, destination);
  const deed = source.deeds.cede(migrationId, ready);
  destination.deeds.accept(deed);
  return { migrationId, deed };
}

/** Expects the error of that type, whose message matches. */
export function expectRefusal(act: () => unknown, type: ErrorType, message = /./): void {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ name: 'SealiftError', type });
  expect(thrown).toMatchObject({ message: expect.stringMatching(message) });
}
