import { SealiftError } from '../domain/error.ts';
import type { Receipt } from '../domain/receipt.ts';
import { verifySignature } from '../deed/identity.ts';
import type { Host } from './host.ts';
import { readNotes } from './notes.ts';
import { keepReceipt } from './receipt-book.ts';

/**
 * One host's part in a receipt. The destination adds what only it knows and signs; the source countersigns what agrees with
 * its own record; the destination, shown both, keeps them. Every host keeps what it signed. Throws `bad-statement`.
 */
export function signReceipt(host: Host, migrationId: string, shown: Receipt): Receipt {
  const { run } = host.deeds.byMigration(migrationId);
  for (const [what, is, needed] of [
    ['migration', shown.body.migrationId, migrationId],
    ['lineage', shown.body.lineage, run.lineage],
    ['token', shown.body.token, run.token],
    ['root', shown.body.root, run.root],
    ['method', shown.body.method, run.method],
    [run.role, shown.body[run.role].identity, host.identity.name],
  ] as const) {
    if (is !== needed)
      throw new SealiftError(
        'bad-statement',
        `the receipt's ${what} is ${String(is)}, this host has ${String(needed)}`,
      );
  }
  const receipt =
    run.role === 'destination' && shown.signatures.source === null ? completed(host, migrationId, shown) : shown;
  const other = run.role === 'source' ? 'destination' : 'source';
  const theirs = receipt.signatures[other];
  if (theirs !== null && !verifySignature(run.peer, receipt.body, theirs)) {
    throw new SealiftError('bad-statement', `the receipt's signature is not that of the ${other}`);
  }
  const signed = { ...receipt, signatures: { ...receipt.signatures, [run.role]: host.identity.sign(receipt.body) } };
  keepReceipt(host.state.database, signed);
  return signed;
}

function completed(host: Host, migrationId: string, { body, signatures }: Receipt): Receipt {
  const notes = readNotes(host.deeds, migrationId);
  const disks = notes.disks.map(({ vdev, sizeBytes }, index) => ({
    vdev,
    sizeBytes,
    digest: notes.digests?.[index]?.digest ?? '',
    direct: notes.digests?.[index]?.direct ?? false,
  }));
  return { body: { ...body, disks, changes: notes.changes }, signatures };
}
