import type { StandInHost } from '../../../infra/stand-in-host.ts';
import type { Host, Landing, Model } from '../../deed/model/state.ts';
import type { Sight } from './sight.ts';
import type { Step } from './step.ts';

/** Holds what hosts show of a VM against what the model says of it. */
export class Comparison {
  readonly #hosts: StandInHost[];
  /** Hosts at which a command that puts a fence on or takes it off was cut short. */
  readonly #between = new Set<number>();
  /** Hosts whose guest was ordered to shut down by a step that was cut short: it ends when it likes. */
  readonly #ordered = new Set<number>();
  /** The root of each content, by run. */
  readonly #roots = new Map<string, string>();
  /** Roots of what was read while a guest wrote, whose fence somebody had taken off: of no one content. */
  readonly #mixed = new Set<string>();

  constructor(hosts: StandInHost[]) {
    this.#hosts = hosts;
  }

  /** Any part of this step may have been done. */
  leaveOpen({ kind, h }: Step): void {
    if (['fence', 'start', 'abort', 'claim', 'heed'].includes(kind)) this.#between.add(h);
    if (kind === 'stop') this.#ordered.add(h);
  }

  isBetween(h: number): boolean {
    return this.#between.has(h);
  }

  /** A line for each thing that is not what the model says; `before` is the model before the last step. */
  differences(model: Model, before: Model, sights: Sight[]): string[] {
    return model.hosts.flatMap((host, h) => {
      const sight = sights[h];
      if (sight === undefined) return [];
      const landings = model.landings.filter(({ at }) => at === h);
      return this.#differencesAt(h, { host, landings }, before.hosts[h], sight);
    });
  }

  /** Gives the model what it leaves to the world: how much a guest has written, and what a cut command has left. */
  settle(model: Model, sights: Sight[]): void {
    for (const [h, host] of model.hosts.entries()) {
      const sight = sights[h];
      if (sight !== undefined) this.#settleAt(h, host, sight);
      // The right is given up first: until the fence stands, the host does nothing else.
      if (!host.fenced && model.heeded.some(({ from, token }) => from === h && token === host.token)) host.gone = true;
    }
  }

  #differencesAt(
    h: number,
    { host: expected, landings }: { host: Host; landings: Landing[] },
    before: Host | undefined,
    sight: Sight,
  ): string[] {
    const { record } = sight;
    const found: Record<string, unknown> = {
      token: record?.token ?? 0,
      state: record?.state ?? 'none',
      run: record?.runToken ?? 0,
      made: record?.madeToken ?? 0,
      noted: record?.fencedToken ?? 0,
      peer: record?.peer == null ? null : this.#hosts.findIndex(({ identity }) => identity === record.peer),
      read: record?.seenRoot != null,
      landings: sight.runs
        .filter(({ role }) => role === 'destination')
        .map(told)
        .join(),
    };
    const said: Record<string, unknown> = {
      token: expected.token,
      state: expected.state,
      run: expected.run,
      made: expected.made,
      noted: expected.noted,
      peer: expected.peer,
      read: expected.seen !== null,
      landings: landings
        .toSorted((a, b) => a.token - b.token)
        .map(told)
        .join(),
    };
    // Left open are a guest that was ordered to end, a fence that was cut short, and a disk that is being written.
    if (sight.running || !this.#ordered.has(h)) {
      found.running = sight.running;
      said.running = expected.running;
    }
    if (!this.#between.has(h)) {
      found.fence = sight.fence;
      said.fence = expected.fenced ? 'on' : 'off';
    }
    const rests = !sight.running && before?.running === false && !expected.running;
    if (rests && sight.content !== null && expected.disk !== null && isKnown(expected)) {
      found.content = sight.content;
      said.content = expected.disk;
    }
    return Object.keys(said)
      .filter((key) => said[key] !== found[key])
      .map((key) => `${this.#hosts[h]?.name ?? ''} has ${key} ${String(found[key])}, the model ${String(said[key])}`);
  }

  #settleAt(h: number, host: Host, sight: Sight): void {
    if (sight.content !== null && host.disk !== null && isKnown(host)) {
      if (sight.content < host.disk)
        throw new Error(
          `${this.#hosts[h]?.name ?? ''} has lost writes: ${String(sight.content)} of ${String(host.disk)}`,
        );
      host.disk = sight.content;
    }
    if (!sight.running) {
      host.running = false;
      this.#ordered.delete(h);
    }
    host.fenced = sight.fence === 'on';
    if (sight.fence !== 'between') this.#between.delete(h);
    const { record } = sight;
    if (record?.seenRoot == null) return;
    if (sight.running && !new Set(this.#roots.values()).has(record.seenRoot)) this.#mixed.add(record.seenRoot);
    if (!this.#mixed.has(record.seenRoot)) this.keepRoot(record.token, host.seen ?? 0, record.seenRoot);
  }

  /** One content, one root, and another for every other. */
  keepRoot(token: number, content: number, root: string): void {
    const name = `${String(token)}/${String(content)}`;
    const known = this.#roots.get(name);
    const other = [...this.#roots].find(([one, same]) => same === root && one !== name);
    if (other !== undefined || (known !== undefined && known !== root))
      throw new Error(`two roots of one content: ${name}`);
    this.#roots.set(name, root);
  }
}

function told({ token, state, collected }: { token: number; state: string; collected: boolean }): string {
  return `${String(token)} ${state}${collected ? ' collected' : ''}`;
}

/** Whether the content of a host's copy is known to the model: not while it lands. */
function isKnown({ state, made, token }: Host): boolean {
  return token === 0 || state === 'holder' || state === 'ceded' || (state === 'receiving' && made === token);
}
