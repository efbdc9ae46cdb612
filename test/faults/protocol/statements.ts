import type { Claim, Deed, Offer, Ready, Settled, Signed } from '../../../domain/statement.ts';
import type { StandInHost } from '../../../infra/stand-in-host.ts';
import type { Model } from '../../deed/model/state.ts';
import type { Comparison } from './comparison.ts';
import type { Sight } from './sight.ts';

export interface Run {
  migrationId: string;
  from: number;
  to: number;
  token: number;
}

/** All that was ever signed about a walk's VM, each at the place where the model has it, and the runs by their offers. */
export class Statements {
  readonly runs: Run[] = [];
  readonly offers: Signed<Offer>[] = [];
  readonly ready: Signed<Ready>[] = [];
  readonly deeds: Signed<Deed>[] = [];
  readonly settled: Signed<Settled>[] = [];
  readonly claims: Signed<Claim>[] = [];
  readonly #hosts: StandInHost[];

  constructor(hosts: StandInHost[]) {
    this.#hosts = hosts;
  }

  /** Statements come from the hosts' books, whoever was told of them. Throws when they are not those of the model. */
  learn(model: Model, sights: Sight[], comparison: Comparison): void {
    for (const claim of sights.flatMap(({ claims }) => claims))
      if (!this.claims.some(({ signature }) => signature === claim.signature)) this.claims.push(claim);
    const isClaim = ({ token }: { token: number }): boolean => model.claims.some((claim) => claim.token === token);
    const lists = { offer: this.offers, ready: this.ready, deed: this.deeds, settled: this.settled };
    const models = { offer: model.offers, ready: model.ready, deed: model.deeds, settled: model.settled };
    for (const kind of ['offer', 'ready', 'deed', 'settled'] as const) {
      for (const [h, sight] of sights.entries()) {
        const real = saidBy(sight, kind).length;
        const expected = models[kind].filter((one) => one.from === h && !(kind === 'offer' && isClaim(one))).length;
        if (real === expected) continue;
        const name = this.#hosts[h]?.name ?? '';
        throw new Error(`${name} has signed ${String(real)} times ${kind}, the model ${String(expected)}`);
      }
      for (const { from, to, token } of models[kind].slice(lists[kind].length)) {
        if (kind === 'offer' && isClaim({ token })) {
          // A run of the claim's own, which nobody has offered.
          const run = sights[to]?.runs.find((one) => one.token === token);
          (lists[kind] as unknown[]).push({});
          this.runs.push({ migrationId: run?.migrationId ?? '', from, to, token });
          continue;
        }
        const statement = saidBy(sights[from], kind).find(({ body }) => body.token === token);
        if (statement === undefined)
          throw new Error(`${this.#hosts[from]?.name ?? ''} has not signed ${kind} ${String(token)}`);
        (lists[kind] as Signed[]).push(statement);
        if (statement.body.kind === 'offer') this.runs.push(this.#runOf(statement.body));
        if (statement.body.kind === 'ready')
          comparison.keepRoot(token, model.hosts[from]?.disk ?? 0, statement.body.root);
      }
    }
  }

  #runOf({ migrationId, from, to, token }: Offer): Run {
    const at = (identity: string): number => this.#hosts.findIndex((host) => host.identity === identity);
    return { migrationId, from: at(from), to: at(to), token };
  }
}

/** What a host itself has signed of a kind. */
export function saidBy(sight: Sight | undefined, kind: string): Signed[] {
  return (sight?.said ?? []).filter(({ body }) => body.kind === kind);
}
