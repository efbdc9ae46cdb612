import { Deeds } from '../deed/deeds.ts';
import type { Claim } from '../domain/statement.ts';
import { note } from '../domain/concern.ts';
import type { Concern } from '../domain/survey.ts';
import { inNames } from './deed-report.ts';
import { onlookerOf } from './host.ts';
import type { Host, Onlooker } from './host.ts';

/** The claims that a host has made or heeded, of one VM or of all, a line each, oldest first: they are shown ever after. */
export function toldClaims(host: Pick<Onlooker, 'file' | 'me' | 'database'>, ofLineage?: string): string[] {
  const deeds = new Deeds(host.database, { name: host.me, sign: () => '' });
  const say = inNames(host);
  const lineages = ofLineage === undefined ? deeds.records().map(({ lineage }) => lineage) : [ofLineage];
  return lineages.flatMap((lineage) =>
    deeds
      .statements(lineage)
      .flatMap(({ statement: { body }, at }) =>
        body.kind === 'claim' ? [`${at.slice(0, 10)} ${say(words(body))}`] : [],
      ),
  );
}

/** The same as concerns about a VM, by which they come into plans and receipts. */
export function claimConcerns(host: Host, lineage: string | undefined): Concern[] {
  if (lineage === undefined) return [];
  return toldClaims(onlookerOf(host), lineage).map((line) => note('claimed', line));
}

function words({ vmName, from, to, against, reason, token }: Claim): string {
  return `${from} claimed ${vmName} for ${to} against ${against}, token ${String(token)}: ${reason}`;
}
