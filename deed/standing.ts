import type { Claim, Signed } from '../domain/statement.ts';
import { isReturning } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';

/**
 * What a host's record means, in plain words: whether the VM may run there, and what that hangs on. Other hosts are named by their
 * identities.
 */
export function standing(record: DeedRecord, runs: readonly DeedRun[], claim: Signed<Claim> | null): string {
  const { token, peer, state, lineage } = record;
  const by = claim === null ? '' : `, by an operator's claim of token ${String(claim.body.token)}`;
  const run = runs.findLast((one) => one.lineage === lineage && one.token === token);
  switch (state) {
    case 'holder':
      return `${mayRun(record, run)}${by}`;
    case 'receiving':
      if (isReturning(record)) return `it may not run here: it is on its way back to ${String(peer)}`;
      return record.madeToken === token
        ? `it may not run here: all of it is here, and the deed of token ${String(token)} is awaited from ${String(peer)}`
        : `it may not run here: token ${String(token)} was offered by ${String(peer)}, and its copy here is not whole`;
    case 'ceded':
      return `it may not run here: its deed went to ${String(peer)} by token ${String(token)}${by}; ${kept(runs, token)}`;
    case 'none':
      return `it may not run here: this host has no right to it${by}`;
  }
}

function mayRun(record: DeedRecord, run: DeedRun | undefined): string {
  if (record.runToken === 0) return 'it may run here, and nowhere else';
  const how = record.places === null ? 'it may run here until it is fenced' : 'it may not run here: it is fenced';
  const where = isReturning(record) ? `its way back to ${String(record.peer)}` : `a move to ${run?.peer ?? 'nowhere'}`;
  return `${how} for ${where} (token ${String(record.runToken)}), and nowhere else`;
}

function kept(runs: readonly DeedRun[], token: number): string {
  const run = runs.findLast((one) => one.role === 'source' && one.token === token);
  if (run?.collected === true) return 'its copy was removed';
  return run?.released === true ? 'its copy is released' : 'its copy is kept';
}
