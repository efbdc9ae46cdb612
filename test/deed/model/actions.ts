import type { Model } from './state.ts';

/** What may be asked of a host, or happen there. `said` is the index of the statement that is shown, or of the run's offer. */
export type Action =
  | { kind: 'write' | 'die' | 'start' | 'unfence' | 'unfenceDone' | 'adopt' | 'beginReturn'; h: number }
  | { kind: 'open'; h: number; to: number; supersede: boolean }
  | { kind: 'settle'; h: number; token: number }
  | { kind: 'claim' | 'quell'; h: number }
  | { kind: 'release' | 'collect' | 'heed'; h: number; said: number }
  | { kind: 'copy'; h: number; value: number }
  | {
      kind: 'receive' | 'fence' | 'read' | 'abort' | 'ready' | 'giveBack' | 'accept' | 'takeBack' | 'reopen' | 'close';
      h: number;
      said: number;
    }
  /** `evenReady`: its source was asked, and has given the run up. */
  | { kind: 'collectLanding'; h: number; said: number; evenReady: boolean }
  | { kind: 'cede'; h: number; said: number; offer: number };

/** Every action that can be asked for: each step of each host that is there with every statement ever signed. */
export function everything(model: Model): Action[] {
  const all: Action[] = [];
  for (const h of model.hosts.keys()) {
    for (const said of model.claims.keys()) all.push({ kind: 'heed', h, said });
    if (model.hosts[h]?.gone === true) {
      all.push({ kind: 'quell', h });
      continue;
    }
    for (const kind of ['write', 'die', 'start', 'unfence', 'unfenceDone', 'adopt', 'beginReturn', 'claim'] as const)
      all.push({ kind, h });
    for (const to of model.hosts.keys()) {
      all.push({ kind: 'open', h, to, supersede: true }, { kind: 'open', h, to, supersede: false });
    }
    for (let value = 0; value <= 3; value += 1) all.push({ kind: 'copy', h, value });
    for (const offer of model.offers.keys()) {
      for (const kind of ['receive', 'fence', 'read', 'abort', 'ready', 'giveBack', 'reopen', 'close'] as const)
        all.push({ kind, h, said: offer });
      for (const evenReady of [false, true]) all.push({ kind: 'collectLanding', h, said: offer, evenReady });
      for (const said of model.ready.keys()) all.push({ kind: 'cede', h, said, offer });
    }
    for (const { token } of model.landings.filter((landing) => landing.at === h))
      all.push({ kind: 'settle', h, token });
    for (const said of model.deeds.keys()) {
      all.push({ kind: 'accept', h, said }, { kind: 'takeBack', h, said }, { kind: 'collect', h, said });
    }
    for (const said of model.settled.keys()) all.push({ kind: 'release', h, said });
  }
  return all;
}
