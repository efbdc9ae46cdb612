import { SealiftError } from '../domain/error.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { Offer } from '../domain/statement.ts';
import { verifySignature } from '../deed/identity.ts';
import type { DeedRun } from '../deed/record.ts';
import type { Host } from './host.ts';
import { sharedShapeOf } from './luns.ts';
import { readNotes } from './notes.ts';
import { keepReceipt, receiptsOf } from './receipt-book.ts';

/**
 * One host's part in a receipt. The destination adds what only it knows and signs; the source countersigns what agrees with
 * its own record and bears the destination's signature; the destination, shown both, keeps them. Every host keeps what it signed,
 * and gives what it keeps with both signatures whatever it is shown. Throws `bad-statement`.
 */
export function signReceipt(host: Host, migrationId: string, shown: Receipt): Receipt {
  const { run } = host.deeds.byMigration(migrationId);
  const [known] = receiptsOf(host.state.database, { migrationId });
  if (known !== undefined && isWhole(known)) return known;
  const other = run.role === 'source' ? 'destination' : 'source';
  const offer = offerOf(host, run);
  for (const [what, is, needed] of [
    ['migration', shown.body.migrationId, migrationId],
    ['lineage', shown.body.lineage, run.lineage],
    ['token', shown.body.token, run.token],
    ['root', shown.body.root, run.root],
    ['method', shown.body.method, run.method],
    ['VM', shown.body.vmUuid, offer.vmUuid],
    ['name', shown.body.vmName, offer.vmName],
    [run.role, shown.body[run.role].identity, host.identity.name],
    [other, shown.body[other].identity, run.peer],
  ] as const) {
    if (is !== needed)
      throw new SealiftError(
        'bad-statement',
        `the receipt's ${what} is ${String(is)}, this host has ${String(needed)}`,
      );
  }
  const receipt =
    run.role === 'destination' && shown.signatures.source === null ? completed(host, migrationId, shown) : shown;
  const theirs = receipt.signatures[other];
  // The destination read the disks: what it has not signed nobody vouches for.
  if (theirs === null && run.role === 'source') {
    throw new SealiftError('bad-statement', 'the receipt is not signed by the destination');
  }
  if (theirs !== null && !verifySignature(run.peer, receipt.body, theirs)) {
    throw new SealiftError('bad-statement', `the receipt's signature is not that of the ${other}`);
  }
  const signed = { ...receipt, signatures: { ...receipt.signatures, [run.role]: host.identity.sign(receipt.body) } };
  keepReceipt(host.state.database, signed);
  return signed;
}

function isWhole({ signatures }: Receipt): boolean {
  return signatures.source !== null && signatures.destination !== null;
}

/** What the run was opened for, by the source's own signature. */
function offerOf(host: Host, { lineage, token }: DeedRun): Offer {
  for (const { statement } of host.deeds.statements(lineage)) {
    if (statement.body.kind === 'offer' && statement.body.token === token) return statement.body;
  }
  throw new SealiftError('unknown-state', `the offer of token ${String(token)} is not kept`);
}

function completed(host: Host, migrationId: string, { body, signatures }: Receipt): Receipt {
  const notes = readNotes(host.deeds, migrationId);
  const disks = notes.disks.map(({ vdev, sizeBytes }, index) => ({
    vdev,
    sizeBytes,
    digest: notes.digests?.[index]?.digest ?? '',
    direct: notes.digests?.[index]?.direct ?? false,
  }));
  const shared = notes.luns.length === 0 ? {} : { shared: notes.luns.map(sharedShapeOf) };
  const woken = notes.memory?.woken ?? null;
  const memory = woken === null ? {} : { memory: woken.kept ? ('kept' as const) : ('lost' as const) };
  return { body: { ...body, disks, changes: notes.changes, ...shared, ...memory }, signatures };
}
