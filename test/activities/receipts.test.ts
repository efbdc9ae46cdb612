import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { updateNotes } from '../../activities/notes.ts';
import { receiveRun } from '../../activities/run.ts';
import { receiptsOf } from '../../activities/receipt-book.ts';
import { signReceipt } from '../../activities/receipts.ts';
import type { Receipt, ReceiptBody } from '../../domain/receipt.ts';
import { fences, rootA } from '../deed/support.ts';
import { closeHosts, disks, offers, openHosts, placement, vm } from './support.ts';
import type { OpenHost } from './support.ts';

let london: OpenHost;
let frankfurt: OpenHost;
let draft: Receipt;
/** A whole move, as far as the records know. */
beforeEach(async () => {
  ({ london, frankfurt } = await openHosts());
  const offer = offers(london, frankfurt);
  const { migrationId, lineage, token } = offer.body;
  await receiveRun(frankfurt.host, { offer, placement, disks, from: 'lon-1' });
  updateNotes(frankfurt.host.deeds, migrationId, { digests: [{ digest: rootA, direct: true }] });
  fences(london.host, migrationId);
  london.host.deeds.noteRead(migrationId, rootA);
  frankfurt.host.deeds.accept(london.host.deeds.cede(migrationId, frankfurt.host.deeds.ready(migrationId, rootA)));
  const body: ReceiptBody = {
    v: 1,
    migrationId,
    lineage,
    token,
    ...vm,
    method: 'sealed',
    source: { name: 'lon-1', identity: london.host.identity.name },
    destination: { name: 'fra-1', identity: frankfurt.host.identity.name },
    root: rootA,
    disks: [],
    plainBytes: 1,
    wireBytes: 1,
    retries: 0,
    phases: [],
    downMs: null,
    changes: [],
    concerns: [],
    approvedBy: null,
    probe: [],
  };
  draft = { body, signatures: { source: null, destination: null } };
}, 60_000);
afterEach(closeHosts);

const sign = (at: OpenHost, shown: Receipt): Receipt => signReceipt(at.host, shown.body.migrationId, shown);

describe('a receipt', () => {
  test('is signed by the destination first, then by the source, and stays as both have signed it', () => {
    expect(() => sign(london, draft)).toThrow('not signed by the destination');
    const whole = sign(london, sign(frankfurt, draft));
    expect(sign(frankfurt, whole)).toEqual(whole);
    const later: Receipt = { ...draft, body: { ...draft.body, wireBytes: 99 } };
    for (const at of [london, frankfurt]) {
      expect(sign(at, later)).toEqual(whole);
      expect(receiptsOf(at.host.state.database, {})).toEqual([whole]);
    }
  });

  test.each([
    ['another VM', { vmUuid: '11111111-2222-3333-4444-555555550001' }],
    ['another name', { vmName: 'web-2' }],
    ['another source', { source: { name: 'lon-1', identity: `ed25519:${'A'.repeat(43)}` } }],
  ] satisfies [string, Partial<ReceiptBody>][])('of %s is refused', (_what, change) => {
    const other = { ...draft, body: { ...draft.body, ...change } };
    expect(() => sign(frankfurt, other)).toThrow(/the receipt's (VM|name|source) is/);
  });
});
