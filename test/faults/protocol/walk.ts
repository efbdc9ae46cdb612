import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import type { HostCard } from '../../../domain/survey.ts';
import type { RunKey, Signed } from '../../../domain/statement.ts';
import { startersOf } from '../../../deed/aside.ts';
import { rebootLabHost } from '../../../infra/lab/lab-host.ts';
import { powerOff, powerOn } from '../../../infra/stand-in-host.ts';
import { apply } from '../../deed/model/effects.ts';
import { enabled } from '../../deed/model/guards.ts';
import { broken } from '../../deed/model/promises.ts';
import { newModel } from '../../deed/model/state.ts';
import type { Model } from '../../deed/model/state.ts';
import type { Actor, Answer } from './actor.ts';
import { diskBytes } from './ground.ts';
import type { Ground } from './ground.ts';
import { lookAt } from './sight.ts';
import type { Sight } from './sight.ts';
import { Comparison } from './comparison.ts';
import { saidBy, Statements } from './statements.ts';
import type { Run } from './statements.ts';
import type { Change, Step } from './step.ts';

/** What happens to the host's process while it does a step: nothing, or it dies before it, at an operation of it, or after it. */
export type Fate = 'lives' | { dies: number; who: 'asked' | 'other' };

/** One VM on hosts that do what they are asked, killed as they go, and beside it what the model says of it. */
export class Walk {
  model: Model;
  readonly vm: { name: string; uuid: string; diskBytes: number };
  readonly hosts: number[];
  readonly said: Statements;
  /** Every step that was ever asked for. */
  readonly past: Step[] = [];
  /** What happened, a line each. */
  readonly story: string[] = [];
  readonly #ground: Ground;
  /** Hosts that have lost their power. */
  readonly #down = new Set<number>();
  #sights: Sight[] = [];
  #cards: HostCard[] = [];
  readonly #comparison: Comparison;

  private constructor(ground: Ground, count: number, vm: { name: string; uuid: string }) {
    this.#ground = ground;
    this.model = newModel(count);
    this.hosts = [...this.model.hosts.keys()];
    this.vm = { ...vm, diskBytes };
    const hosts = ground.actors.map(({ host }) => host);
    this.#comparison = new Comparison(hosts);
    this.said = new Statements(hosts);
  }

  /** With a VM on the first host that nobody has adopted. */
  static async begin(ground: Ground, count: number): Promise<Walk> {
    const walk = new Walk(ground, count, await ground.makeVm());
    for (const h of walk.hosts) {
      const card = await walk.#actor(h).ask('hostCard');
      if (!('result' in card)) throw new Error(`no card of ${walk.name(h)}`);
      walk.#cards.push(card.result as HostCard);
    }
    await walk.#compare([walk.model], null);
    return walk;
  }

  /** Hosts that are down come back without the VM, since nobody waits any more until they have heeded. */
  async end(): Promise<void> {
    for (const h of this.#down) {
      const { lab } = this.#actor(h).host;
      for (const folder of [lab.etcFolder, lab.autoFolder])
        await rm(join(folder, `${this.vm.name}.cfg`), { force: true });
      await this.startUnpowered(h);
    }
  }

  get operatorFolder(): string {
    return this.#ground.operatorFolder;
  }
  isDown(h: number): boolean {
    return this.#down.has(h);
  }
  newId(): string {
    return randomUUID();
  }
  name(h: number): string {
    return this.#actor(h).host.name;
  }
  identity(h: number): string {
    return this.#actor(h).host.identity;
  }
  card(h: number): HostCard | undefined {
    return this.#cards[h];
  }
  run(said: number): Run {
    const run = this.said.runs[said];
    if (run === undefined) throw new Error(`no run ${String(said)}`);
    return run;
  }
  titled(what: string, h: number, said: number): string {
    return `${what} on ${this.name(h)} for token ${String(this.said.runs[said]?.token)}`;
  }
  /** The destination's key of a run, once it has received it. */
  keyOf(said: number): Signed<RunKey> | undefined {
    const { to, token } = this.run(said);
    return saidBy(this.#sights[to], 'key').find(({ body }) => body.token === token) as Signed<RunKey> | undefined;
  }
  wasRunning(h: number): boolean {
    return this.#sights[h]?.record?.wasRunning === true;
  }
  /** Whether the host holds the VM by this run, or holds it still since this run was aborted, and no other run is open. */
  isCurrent(h: number, said: number): boolean {
    const { from, token } = this.run(said);
    const host = this.model.hosts[h];
    if (host?.state !== 'holder' || host.run !== 0) return false;
    const cameBack =
      h === from &&
      this.said.deeds.some(
        ({ body: { root, to, token: last } }) => root === null && to === this.identity(h) && last === token + 1,
      );
    return host.token === (cameBack ? token + 1 : token);
  }
  /** Whether the run's destination has made its disks: it may have died over them. */
  isPrepared(said: number): boolean {
    const { to, migrationId } = this.run(said);
    return this.#sights[to]?.runs.some((run) => run.migrationId === migrationId && run.notes !== null) === true;
  }

  /** Whether the disks of a run are at the host still, as its own. */
  hasCopy(h: number, migrationId: string): boolean {
    return this.#sights[h]?.copies.has(migrationId) === true;
  }
  /** Whether they were given free for removal. */
  hasCollected(h: number, migrationId: string): boolean {
    return this.#sights[h]?.runs.some((run) => run.migrationId === migrationId && run.collected) === true;
  }

  /** Asks for a step and compares all hosts with the model. Throws what does not fit. */
  async take(step: Step, fate: Fate): Promise<'done' | 'refused' | 'died'> {
    this.past.push(step);
    await step.before?.(this);
    const changes = step.changes(this);
    const { answer, operations } = await this.#carryOut(step, fate);
    const died = 'died' in answer;
    const refusal = refusalOf(answer);
    const how = died ? 'died' : refusal === null ? 'done' : 'refused';
    const detail = refusal === null ? '' : ` (${refusal})`;
    this.story.push(`${step.title}${operations}: ${how}${detail}`);
    const misses =
      'result' in answer && step.kind === 'ready' && Object.hasOwn(answer.result as object, 'missingChunks');
    if (misses && this.#isWhole(step)) throw new Error(`${step.title}: what was sent whole is missed`);
    if (how === 'refused' && changes !== null && !this.#isAside(step, answer))
      throw new Error(`${step.title} was refused although the model permits it${detail}`);
    const models = how === 'refused' || misses || changes === null ? [this.model] : this.#after(changes);
    await this.#compare(died ? models : models.slice(-1), died && changes !== null ? step : null);
    await step.after?.(this);
    return how;
  }

  /** What the world does by itself, or a person with a shell. */
  async happen(
    what: 'domain ends' | 'somebody starts' | 'host reboots' | 'process dies' | 'fence off by hand',
    h: number,
  ): Promise<void> {
    if (this.isDown(h) || (what === 'fence off by hand' && !this.#isTempting(h))) return;
    const { host } = this.#actor(h);
    this.story.push(`${what} on ${host.name}`);
    if (what === 'process dies') await this.#actor(h).restart(this.#lineage());
    if (what === 'domain ends') await execa('xl', ['destroy', this.vm.name], { env: host.env, reject: false });
    if (what === 'somebody starts')
      await execa('xl', ['create', `${host.lab.etcFolder}/${this.vm.name}.cfg`], { env: host.env, reject: false });
    if (what === 'host reboots') {
      await this.#actor(h).kill();
      await rebootLabHost(host.lab.root);
      await this.#actor(h).start();
    }
    if (what === 'fence off by hand') await this.#takeOffFence(h);
    const now = structuredClone(this.model);
    const changed = now.hosts[h];
    if (changed !== undefined) {
      if (what === 'fence off by hand') changed.fenced = false;
      if (what === 'domain ends' || what === 'host reboots') changed.running = false;
      // xendomains starts what no fence keeps from it.
      if ((what === 'somebody starts' || what === 'host reboots') && enabled(now, { kind: 'start', h }))
        apply(now, { kind: 'start', h });
    }
    await this.#compare([now], null);
  }

  /** Its process and its guests are gone, until `powerOn`. */
  async powerOff(h: number): Promise<void> {
    if (this.isDown(h)) return;
    this.story.push(`${this.name(h)} loses its power`);
    await this.#actor(h).kill();
    await powerOff(this.#actor(h).host);
    this.#down.add(h);
    const now = structuredClone(this.model);
    Object.assign(now.hosts[h] ?? {}, { running: false });
    await this.#compare([now], null);
  }

  /** Its process is there, and xendomains has not run. */
  async startUnpowered(h: number): Promise<void> {
    if (this.isDown(h) && this.#actor(h).pid === undefined) await this.#actor(h).start();
  }

  /** xendomains starts what no fence keeps from it, unless the host has to heed a claim first. */
  async powerOn(h: number): Promise<void> {
    if (!this.isDown(h) || this.model.hosts[h]?.gone === true) return;
    await powerOn(this.#actor(h).host);
    this.#down.delete(h);
    const now = structuredClone(this.model);
    if (enabled(now, { kind: 'start', h })) apply(now, { kind: 'start', h });
    await this.#compare([now], null);
  }

  /** Empty while nobody has adopted the VM: no command was launched for it either. */
  #lineage(): string {
    return this.#sights.find(({ record }) => record !== null)?.record?.lineage ?? '';
  }

  /** Only where the deed still is: who comes later, with a shell, has left the protocol. */
  #isTempting(h: number): boolean {
    const host = this.model.hosts[h];
    return host?.state === 'holder' && host.run !== 0 && this.#sights[h]?.fence === 'on';
  }

  async #takeOffFence(h: number): Promise<void> {
    const places = this.#sights[h]?.record?.places;
    if (places == null) throw new Error(`${this.name(h)} has a fence and no places of it`);
    for (const { path } of places.disks) {
      await execa('chattr', ['-i', path], { reject: false });
      await chmod(path, 0o600);
    }
    for (const { path, aside } of startersOf(places)) if (existsSync(aside)) await rename(aside, path);
  }

  #actor(h: number): Actor {
    const actor = this.#ground.actors[h];
    if (actor === undefined) throw new Error(`no host ${String(h)}`);
    return actor;
  }

  async #carryOut(step: Step, fate: Fate): Promise<{ answer: Answer; operations: string }> {
    const asked = this.#actor(step.h);
    if (fate === 'lives') return { answer: await asked.ask(step.name, ...step.ask), operations: '' };
    const other = step.kind === 'send' && fate.who === 'other' ? this.#otherEnd(step) : null;
    if (other === null) {
      await asked.dieAt(fate.dies);
      const answer = await asked.ask(step.name, ...step.ask);
      await asked.restart(this.#lineage());
      const operations = 'died' in answer ? `, killed at operation ${String(fate.dies)}` : ', killed after it';
      return { answer, operations };
    }
    await other.dieAt(fate.dies);
    const answering = asked.ask(step.name, ...step.ask);
    await Promise.race([answering, other.death()]);
    await other.restart(this.#lineage());
    return { answer: await answering, operations: `, its destination killed at operation ${String(fate.dies)}` };
  }

  /** A VM that has arrived or come back is set up before it goes on: its configuration is in no dom0 before. */
  #isAside({ kind, h }: Step, answer: Answer): boolean {
    const host = this.model.hosts[h];
    const lies = host?.state === 'holder' && host.run === 0 && (host.fenced || this.#comparison.isBetween(h));
    return lies && kind === 'open' && 'refused' in answer && answer.refused.type === 'vm-aside';
  }

  #otherEnd(step: Step): Actor | null {
    const run = this.said.runs.find(({ from, token }) => from === step.h && token === this.model.hosts[step.h]?.run);
    return run === undefined || this.isDown(run.to) ? null : this.#actor(run.to);
  }

  /** The source has read its own root, so all of it was acknowledged. */
  #isWhole(step: Step): boolean {
    const landing = this.model.hosts[step.h];
    const source = landing?.peer == null ? undefined : this.model.hosts[landing.peer];
    return source !== undefined && source.token === landing?.token && source.seen !== null;
  }

  /** The model as it was, and after each of the changes. */
  #after(changes: Change[]): Model[] {
    const models = [this.model];
    for (const change of changes) {
      const next = structuredClone(models.at(-1) ?? this.model);
      change(next);
      models.push(next);
    }
    return models;
  }

  /** Takes the one of the models that is what the hosts show; `cut` is the step that was cut short, of which any part may have been done. */
  async #compare(models: Model[], cut: Step | null): Promise<void> {
    if (cut !== null) this.#comparison.leaveOpen(cut);
    this.#sights = await this.#look();
    const before = this.model;
    const differences = models.map((model) => this.#comparison.differences(model, before, this.#sights));
    const fitting = differences.findLastIndex((lines) => lines.length === 0);
    const chosen = models[fitting];
    if (chosen === undefined)
      throw new Error(`the hosts are not what the model says: ${(differences.at(-1) ?? []).join('; ')}`);
    this.model = chosen;
    this.#comparison.settle(chosen, this.#sights);
    this.said.learn(chosen, this.#sights, this.#comparison);
    const promises = [
      ...broken(this.model),
      ...this.#ground.observer.doubles,
      ...this.#sights.flatMap(({ problems }) => problems),
    ];
    if (promises.length > 0) throw new Error(`broken: ${promises.join('; ')}`);
  }

  async #look(): Promise<Sight[]> {
    return Promise.all(this.hosts.map((h) => lookAt(this.#actor(h).host, this.vm, this.#ground.observer)));
  }
}

const removal = z.object({ refused: z.array(z.object({ why: z.string() })).min(1) });

/** Why a step was not done; a removal tells it of each item. */
function refusalOf(answer: Answer): string | null {
  if ('refused' in answer) return `${answer.refused.type}: ${answer.refused.message}`;
  const kept = 'result' in answer ? removal.safeParse(answer.result).data : undefined;
  return kept?.refused[0]?.why ?? null;
}
