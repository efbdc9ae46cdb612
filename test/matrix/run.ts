import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSealiftError } from '../../domain/error.ts';
import { migrationWorkflowId } from '../../domain/migration.ts';
import { clearFaults } from '../../infra/lab/lab-host.ts';
import type { FinishResult } from '../../workflows/contract.ts';
import type * as workflows from '../../workflows/index.ts';
import { quick } from '../support/world.ts';
import type { TestHost } from '../support/world.ts';
import type { Proxy } from '../transport/proxy.ts';
import type { Met } from './faults/fault.ts';
import { judgeHolders } from './judge/agreement.ts';
import { judgeGone, judgeHandedOver } from './judge/copies.ts';
import { readHostRecords } from './judge/host-records.ts';
import type { HostRecords } from './judge/host-records.ts';
import { judge } from './judge/judge.ts';
import { judgeHeartbeats } from './judge/secrets.ts';
import type { Suspect } from './judge/suspect.ts';
import type { StageName } from './points.ts';
import type { Random } from './random.ts';
import type { Stage } from './stage.ts';
import type { CopyMethod } from './points.ts';

/** How long an operator lets things be before he mends what is broken, aborts, and gives up; in milliseconds. */
export interface Patience {
  mendMs: number;
  abortMs: number;
  giveUpMs: number;
}

const patience: Patience = { mendMs: 20_000, abortMs: 60_000, giveUpMs: 150_000 };

const judgeLooks = 6;

/** One VM on its way through the stages, as its operator sees it. */
export class Run {
  readonly stage: Stage;
  readonly suspect: Suspect;
  readonly method: CopyMethod;
  readonly random: Random;
  readonly source: TestHost;
  readonly destination: TestHost;
  readonly migrationId = randomUUID();
  /** What came of the operations, one line each. */
  readonly story: string[] = [];
  /** What is on its way still then, when all else is at rest. */
  lateUntil = 0;
  /** Set by a fault after which the workflow's own end does not tell where the VM is. */
  uncertain = false;
  /** What was laid out for it by faults. */
  readonly laid: Met[] = [];
  /** Whether the operator has aborted what did not go on. */
  givenUp = false;
  /** Set by a fault that the operator answers by one more operation when all is at rest. */
  afterwards: (() => Promise<void>) | null = null;
  /** Under way when a fault has ended the workflow and its operation is asked for again. */
  restart: Promise<void> | null = null;

  constructor(stage: Stage, suspect: Suspect, method: CopyMethod, random: Random, source = stage.world.london) {
    this.stage = stage;
    this.suspect = suspect;
    this.method = method;
    this.random = random;
    this.source = source;
    this.destination = stage.other(source);
  }

  /** Before the landing of the destination, on the line from the source. */
  get proxy(): Proxy {
    return this.stage.proxyOf(this.destination);
  }

  get workflowId(): string {
    return migrationWorkflowId(this.suspect.vm.uuid);
  }

  /** Asks for an operation and sees it through to its end. Returns whether it came to rest. */
  async carryOut(name: StageName): Promise<boolean> {
    if (name === 'adopt' || name === 'gc') return this.#ask(name);
    const began = Date.now();
    await this.begin(name);
    return this.#untilRest(name, began);
  }

  /** Waits for the workflow that there is now. */
  async rest(name: StageName): Promise<boolean> {
    return this.#untilRest(name, Date.now());
  }

  /** Starts the workflow of an operation; also when it was started before and terminated. */
  async begin(name: StageName): Promise<void> {
    const { sealift } = this.stage.world;
    const { name: vm } = this.suspect.vm;
    await insist(async () => {
      if (name === 'move') {
        await sealift.migrate({
          vm,
          from: this.source.host.name,
          to: this.destination.host.name,
          method: this.method,
          migrationId: this.migrationId,
          graceMs: 3_000,
          probe: { limitMs: 5_000 },
          timings: quick,
        });
      } else if (name === 'revert') await sealift.revert({ vm, confirm: vm, graceMs: 3_000, timings: quick });
      else await sealift.finish({ vm, by: 'test' });
    });
  }

  /** Where the newest workflow says that the VM is; null when it says nothing. */
  async told(): Promise<TestHost | null> {
    if (this.uncertain) return null;
    const handle = this.stage.temporal.workflow.getHandle(this.workflowId);
    const about = await handle.describe().catch(() => null);
    const type = about?.type as keyof typeof workflows | undefined;
    if (about?.status.name === 'FAILED') {
      const end = await handle.result().then(() => '', failureOf);
      if (!end.startsWith('cancelled') || type === 'finishHold') return null;
      return type === 'revertVm' ? this.destination : this.source;
    }
    if (about?.status.name !== 'COMPLETED') return null;
    if (type === 'revertVm') return this.source;
    if (type !== 'finishHold') return this.destination;
    // It ends what another host kept.
    const { host } = (await handle.result()) as FinishResult;
    return [this.source, this.destination].find((at) => at.host.name !== host) ?? null;
  }

  /** Which hosts hold the VM by their own records. */
  holders(): string[] {
    return this.stage.world.up.hosts
      .map(readHostRecords)
      .filter(({ records }) =>
        records.some(({ vmUuid, state }) => vmUuid === this.suspect.vm.uuid && state === 'holder'),
      )
      .map(({ name }) => name);
  }

  /** Whether a host has a run of the VM open, or on its way back. */
  isOpen(): boolean {
    const { uuid } = this.suspect.vm;
    return this.stage.world.up.hosts
      .flatMap((at) => readHostRecords(at).records)
      .some(({ vmUuid, runToken }) => vmUuid === uuid && runToken !== 0);
  }

  /** The judge's complaints, and what was seen meanwhile. What is only just ending is given a moment: a connection, an orphan. */
  async judged(): Promise<string[]> {
    const ended = { at: await this.told(), runs: this.suspect.ran };
    for (let look = 1; ; look += 1) {
      const complaints = await judge(this.stage, this.suspect, ended);
      if (complaints.length === 0 || look === judgeLooks) {
        this.stage.world.observer.doubles.length = 0;
        return [...this.stage.seen.splice(0), ...complaints];
      }
      await sleep(500);
    }
  }

  /** Removes what a host keeps of the VM and no longer needs. */
  async collect({ host: { name } }: TestHost): Promise<void> {
    const { sealift } = this.stage.world;
    const mine = (await sealift.garbage(name)).filter(({ vmName }) => vmName === this.suspect.vm.name);
    for (const { id } of mine) this.suspect.givenFree.add(id);
    const { refused } = await sealift.removeGarbage({ host: name, ids: mine.map(({ id }) => id), by: 'matrix' });
    for (const { why } of refused) this.story.push(`gc refused: ${why}`);
  }

  /** Adoption and gc have no workflow: who asked asks again when it failed. */
  async #ask(name: 'adopt' | 'gc'): Promise<boolean> {
    const { sealift } = this.stage.world;
    try {
      await insist(async () => {
        if (name === 'adopt') {
          await sealift.adopt({ vm: this.suspect.vm.name, host: this.source.host.name, by: 'matrix' });
        } else await this.collect(this.source);
      });
      this.story.push(`${name}: done`);
      return true;
    } catch (error) {
      this.story.push(`${name}: ${String(error)}`);
      return false;
    }
  }

  async #untilRest(name: StageName, began: number): Promise<boolean> {
    const { temporal } = this.stage;
    const done = { mended: false, aborted: false };
    for (let look = 0; ; look += 1) {
      const handle = temporal.workflow.getHandle(this.workflowId);
      const status = await handle.describe().then(
        (about) => {
          this.stage.seen.push(...judgeHeartbeats(about, this.stage.secrets));
          return about.status.name;
        },
        () => 'UNKNOWN',
      );
      if (status !== 'RUNNING' && status !== 'UNKNOWN') {
        const end = await handle.result().then(
          () => 'completed',
          (error: unknown) => failureOf(error),
        );
        // A fault is still at it: a workflow that it ended is started again by it.
        if (!this.stage.director.striking) {
          this.story.push(`${name}: ${end}`);
          return true;
        }
      }
      const passedMs = Date.now() - began;
      if (look % 10 === 9) this.stage.seen.push(...(await this.#now()));
      if (status === 'RUNNING' && look % 10 === 9) await this.#attend(passedMs, done);
      if (passedMs > patience.giveUpMs) {
        this.story.push(`${name}: did not come to rest: ${await this.#waits()}`);
        return false;
      }
      await sleep(100);
    }
  }

  /** What must hold at any moment of a workflow. */
  async #now(): Promise<string[]> {
    const { hosts: all } = this.stage.world.up;
    const look = (): HostRecords[] => all.map(readHostRecords);
    const looked = all.map((at) => ({ at, records: readHostRecords(at) }));
    const hosts = looked.map(({ records }) => records);
    const handedOver = looked.map(({ at, records }) =>
      judgeHandedOver(records, () => readHostRecords(at), this.suspect),
    );
    return [
      ...hosts.flatMap((host) => judgeGone(host, this.suspect)),
      ...judgeHolders(hosts, look, this.suspect),
      ...(await Promise.all(handedOver)).flat(),
    ];
  }

  /** What a person does who looks at it now and then. */
  async #attend(passedMs: number, done: { mended: boolean; aborted: boolean }): Promise<void> {
    if (this.stage.director.striking) return;
    if (!done.mended && passedMs > patience.mendMs) {
      done.mended = true;
      this.story.push(`mended after ${String(patience.mendMs)} ms: ${await this.#waits()}`);
      await mendAll(this.stage);
    }
    if (!done.aborted && passedMs > patience.abortMs) {
      done.aborted = true;
      this.givenUp = true;
      this.story.push(`aborted after ${String(patience.abortMs)} ms: ${await this.#waits()}`);
      await this.#handle()
        .then((move) => move.abort())
        .catch((error: unknown) => this.story.push(`abort: ${String(error)}`));
    }
    if (!done.aborted && (await this.#waits()).includes('shut down')) {
      done.aborted = true;
      const move = await this.#handle();
      const order = this.random.one(['abort', 'destroy'] as const);
      this.story.push(`stuck guest: ${order}`);
      await (order === 'abort' ? move.abort() : move.destroy(this.suspect.vm.name, 'matrix')).catch((error: unknown) =>
        this.story.push(`${order}: ${String(error)}`),
      );
    }
  }

  async #waits(): Promise<string> {
    const status = await this.#handle()
      .then((move) => move.status())
      .catch(() => null);
    return status === null ? 'no answer' : `${status.phase}: ${status.waits.join('; ')}`;
  }

  #handle() {
    return this.stage.world.sealift.handle(this.suspect.vm.uuid);
  }
}

/** Everything that a fault may have left broken is whole again, and every process that it may have ended runs. */
export async function mendAll(stage: Stage): Promise<void> {
  const { world, director } = stage;
  for (const { host } of world.up.hosts) clearFaults(host.lab.root);
  await director.mend(world.up.hosts.map(({ host }) => host.name));
  director.clockMs = 0;
  stage.mendLink();
  for (const at of world.up.hosts) stage.proxyOf(at).farPort = Number(at.worker.ready.landingPort);
  await stage.revive();
}

/** Tries again while Temporal or a host is away: what an operator does. */
export async function insist(act: () => Promise<void>, limitMs = 45_000): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      const passing = isSealiftError(error) && ['temporal-away', 'host-away', 'ended', 'internal'].includes(error.type);
      if (!passing || Date.now() > end) throw error;
      await sleep(300);
    }
  }
}

function failureOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const type = typeof cause === 'object' && cause !== null && 'type' in cause ? String(cause.type) : 'ended';
  return `${type}: ${cause instanceof Error ? cause.message : String(cause)}`;
}
