import { randomBytes, randomUUID } from 'node:crypto';
import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { HostActivities, RunState } from '../../activities/port.ts';
import { errorKind } from '../../domain/error-types.ts';
import type { ErrorType } from '../../domain/error-types.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { Signed, StatementBody } from '../../domain/statement.ts';
import type { DeedState, HostCard, SourceSurvey, VmSummary } from '../../domain/survey.ts';

type StepName = keyof HostActivities;
type Rule = (ask: unknown, real: () => Promise<unknown>) => Promise<unknown>;

export interface FakeVm {
  vmUuid: string;
  vmName: string;
  running: boolean;
  fenced: boolean;
  lineage: string;
  deed: DeedState | null;
  token: number;
  released: boolean;
}

interface FakeRun {
  vmUuid: string;
  token: number;
  run: RunState['run'];
  wasRunning: boolean | null;
  startedAt: string | null;
}

/** A step that stands still until it is released or cancelled. */
export interface Hold {
  /** Resolves when the step has begun. */
  begun: Promise<void>;
  release: () => void;
}

/**
 * A host in memory: records like a real one's, no disks. Steps can be held, failed or replaced by rules; what was asked of it
 * stands in `calls`.
 */
export class FakeHost {
  readonly name: string;
  readonly site: string;
  readonly peers: string[];
  readonly calls: string[] = [];
  readonly vms = new Map<string, FakeVm>();
  readonly runs = new Map<string, FakeRun>();
  readonly receipts: Receipt[] = [];
  readonly steering: unknown[] = [];
  readonly rules = new Map<StepName, Rule>();
  freeBytes = 2 ** 40;

  constructor(name: string, peers: string[], site = 'lab') {
    this.name = name;
    this.peers = peers;
    this.site = site;
  }

  /** As new: no VMs, no records, no rules. */
  clear(): void {
    for (const kept of [this.vms, this.runs, this.rules]) kept.clear();
    for (const kept of [this.calls, this.receipts, this.steering]) kept.length = 0;
    this.freeBytes = 2 ** 40;
  }

  addVm(vmName: string, change: Partial<FakeVm> = {}): FakeVm {
    const vm: FakeVm = {
      vmUuid: randomUUID(),
      vmName,
      running: true,
      fenced: false,
      lineage: randomBytes(16).toString('hex'),
      deed: 'holder',
      token: 1,
      released: false,
      ...change,
    };
    this.vms.set(vm.vmUuid, vm);
    return vm;
  }

  /** Replaces a step; `real` runs what the host would do. */
  rule(step: StepName, rule: Rule): void {
    this.rules.set(step, rule);
  }

  /** Holds the next call of a step before, or after, the host does it. */
  hold(step: StepName, when: 'before' | 'after' = 'before'): Hold {
    let began = (): void => undefined;
    let release = (): void => undefined;
    const begun = new Promise<void>((resolve) => (began = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    this.rule(step, async (_ask, real) => {
      this.rules.delete(step);
      const done = when === 'after' ? await real() : undefined;
      began();
      await held(released);
      return when === 'after' ? done : real();
    });
    return {
      begun,
      release: () => {
        release();
      },
    };
  }

  /** Lets a step fail, `times` times or for good. */
  fail(step: StepName, type: ErrorType, message: string, times = Infinity): void {
    let left = times;
    this.rule(step, async (_ask, real) => {
      if (left-- > 0) throw failure(type, message);
      return real();
    });
  }

  card(): HostCard {
    return {
      name: this.name,
      site: this.site,
      identity: identityOf(this.name),
      version: '0.1.0',
      protocolVersion: 1,
      xenVersion: '4.17',
      landing: { address: '127.0.0.1', port: 7410 },
      pools: [{ name: 'fast', kind: 'folder', freeBytes: this.freeBytes, totalBytes: 2 ** 40 }],
      staging: { address: '127.0.0.1', port: 22, user: 'sealift', hostKey: 'ssh-ed25519 AAAA', folder: 'staging' },
      peers: this.peers,
      freeMemoryBytes: 2 ** 34,
    };
  }

  /** What a worker registers: every step logged, and passed through its rule. */
  activities(): HostActivities {
    const steps = this.steps();
    const wrapped = Object.entries(steps).map(([name, step]) => [
      name,
      async (...ask: unknown[]): Promise<unknown> => {
        this.calls.push(name);
        const real = async (): Promise<unknown> => (step as (...ask: unknown[]) => Promise<unknown>).apply(steps, ask);
        const rule = this.rules.get(name as StepName);
        return rule === undefined ? real() : rule(ask[0], real);
      },
    ]);
    return Object.fromEntries(wrapped) as HostActivities;
  }

  count(step: StepName): number {
    return this.calls.filter((one) => one === step).length;
  }

  private summary(vm: FakeVm): VmSummary {
    return {
      vmUuid: vm.vmUuid,
      vmName: vm.vmName,
      state: vm.running ? 'running' : 'stopped',
      memoryBytes: 2 ** 28,
      diskBytes: 2 ** 21,
      autostart: false,
      fenced: vm.fenced,
      deed: this.deed(vm),
      problem: null,
    };
  }

  private deed(vm: FakeVm): VmSummary['deed'] {
    if (vm.deed === null) return null;
    const { token, released } = vm;
    const peer = this.peers[0] ?? null;
    return { ...deedOf(vm), peer, ceded: vm.deed === 'ceded' ? { token, peer, released } : null };
  }

  private steps(): HostActivities {
    return {
      hostCard: async () => this.card(),
      listVms: async () => [...this.vms.values()].map((vm) => this.summary(vm)),
      inspectVm: async ({ vm }) => {
        const found = this.find(vm);
        const ranSince = [...this.runs.values()].find((run) => run.vmUuid === found.vmUuid)?.startedAt ?? null;
        return { summary: this.summary(found), disks: [], concerns: [], marks: [], ranSince, run: null };
      },
      seeVm: async ({ vmUuid }) => {
        const vm = this.vms.get(vmUuid);
        return vm === undefined ? null : this.summary(vm);
      },
      adoptVm: async ({ vm, elsewhere, notAsked, withoutAsking }) => {
        if (elsewhere.length > 0) throw failure('adoption-refused', `${elsewhere.join(', ')} has ${vm}`);
        const silent = notAsked.filter((name) => !withoutAsking.includes(name));
        if (silent.length > 0) throw failure('adoption-refused', `${silent.join(', ')} cannot be asked`);
        const found = this.find(vm);
        found.deed = 'holder';
        return { vmUuid: found.vmUuid, lineage: found.lineage, token: found.token };
      },
      listGarbage: async () => [
        { id: 'g1', kind: 'released-copy', vmName: 'web-1', bytes: 1, note: 'released', source: null },
      ],
      removeGarbage: async ({ ids }) => ({
        removed: ids.map((id) => ({
          id,
          kind: 'released-copy' as const,
          vmName: 'web-1',
          bytes: 1,
          note: 'removed',
          source: null,
        })),
        refused: [],
      }),
      findReceipts: async ({ vm, migrationId }) =>
        this.receipts.filter(
          ({ body }) =>
            (vm === undefined || body.vmName === vm || body.vmUuid === vm) &&
            (migrationId === undefined || body.migrationId === migrationId),
        ),
      runState: async ({ migrationId }) => this.stateOf(migrationId),
      deedReport: async () => null,
      exchangeClaims: async () => ({ claims: [], told: [] }),
      surveySource: async ({ vmUuid }): Promise<SourceSurvey> => {
        const vm = this.find(vmUuid);
        const concerns =
          vm.deed === 'holder'
            ? []
            : [
                {
                  name: 'not-adopted',
                  severity: 'refuses' as const,
                  text: `${vm.vmName} is not held here`,
                  remedy: null,
                },
              ];
        return {
          host: this.card(),
          vmUuid,
          vmName: vm.vmName,
          state: vm.running ? 'running' : 'stopped',
          memoryBytes: 2 ** 28,
          disks,
          deed: deedOf(vm),
          concerns,
        };
      },
      surveyDestination: async ({ source }) => {
        const totalBytes = source.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
        const text = `${this.name} has ${String(this.freeBytes)} bytes free in pool fast, ${String(totalBytes)} are needed`;
        const concerns =
          totalBytes <= this.freeBytes ? [] : [{ name: 'no-space', severity: 'refuses' as const, text, remedy: null }];
        return { host: this.card(), placement: source.disks.map(({ vdev }) => ({ vdev, pool: 'fast' })), concerns };
      },
      surveyLink: async () => ({ rttMs: 41, concerns: [] }),
      openRun: async ({ input, to }) => {
        const vm = this.find(input.vmUuid);
        const { migrationId } = input;
        if (!this.runs.has(migrationId)) {
          vm.token++;
          this.runs.set(migrationId, {
            vmUuid: vm.vmUuid,
            token: vm.token,
            run: 'open',
            wasRunning: null,
            startedAt: null,
          });
        }
        const token = this.run(migrationId).token;
        const common = { v: 1 as const, lineage: vm.lineage, from: identityOf(this.name), to: identityOf(to), token };
        const { vmName, vmUuid, method } = input;
        const offer = signed({ ...common, kind: 'offer' as const, migrationId, vmUuid, vmName, method });
        return { offer, run: this.stateOf(migrationId).run };
      },
      receiveRun: async ({ offer }) => {
        const { migrationId, vmUuid, vmName, token, lineage, from, to } = offer.body;
        if (!this.runs.has(migrationId)) {
          this.runs.set(migrationId, { vmUuid, token, run: 'open', wasRunning: null, startedAt: null });
          this.addVm(vmName, { vmUuid, lineage, token, running: false, fenced: true, deed: 'receiving' });
        }
        const recipient = `age1${'q'.repeat(58)}`;
        const key = signed({ v: 1, kind: 'key', lineage, token, from: to, to: from, recipient });
        return { key };
      },
      admitRun: async ({ migrationId }) => {
        this.run(migrationId);
      },
      stopVm: async ({ migrationId }) => {
        const run = this.run(migrationId);
        const vm = this.find(run.vmUuid);
        run.wasRunning ??= vm.running;
        if (run.run === 'open' || run.run === 'accepted') vm.running = false;
        return { outcome: 'stopped', wasRunning: run.wasRunning, detail: '' };
      },
      destroyVm: async ({ migrationId }) => {
        this.find(this.run(migrationId).vmUuid).running = false;
      },
      fenceVm: async ({ migrationId }) => {
        this.find(this.run(migrationId).vmUuid).fenced = true;
      },
      sendDisks: async () => {
        heartbeat(transferring());
        return { plainBytes: 2 ** 21, wireBytes: 2 ** 20, retries: 0, streams: 8 };
      },
      offerTunnel: async () => {
        throw failure('tunnel-unready', 'no tunnel starts here');
      },
      joinTunnel: async () => {
        throw failure('tunnel-unready', 'no tunnel ends here');
      },
      raiseTunnel: async () => {
        throw failure('tunnel-unready', 'no tunnel starts here');
      },
      sealContainer: async () => ({ containerBytes: 2 ** 20 }),
      sendContainer: async () => ({ plainBytes: 2 ** 21, wireBytes: 2 ** 20, retries: 1, streams: 1 }),
      openContainer: async () => ({ plainBytes: 2 ** 21, wireBytes: 0, retries: 0, streams: 1 }),
      steerTransfer: async (ask) => {
        this.steering.push(ask);
      },
      makeReady: async ({ migrationId }) => {
        const { vmUuid, token } = this.run(migrationId);
        const { lineage } = this.find(vmUuid);
        return { ready: signed({ ...ends(this), kind: 'ready', lineage, token, root }) };
      },
      cede: async ({ migrationId }) => {
        const run = this.run(migrationId);
        const vm = this.find(run.vmUuid);
        if (run.run === 'open') {
          if (vm.running || !vm.fenced) throw failure('deed-refused', `${vm.vmName} is not fenced`);
          run.run = 'ceded';
          vm.deed = 'ceded';
        } else if (run.run !== 'ceded') throw failure('deed-refused', `the run is ${run.run}`);
        return { deed: signed({ ...ends(this), kind: 'deed', lineage: vm.lineage, token: run.token, root }), root };
      },
      acceptDeed: async ({ migrationId }) => {
        const run = this.run(migrationId);
        run.run = 'accepted';
        this.find(run.vmUuid).deed = 'holder';
      },
      startVm: async ({ migrationId, start }) => {
        const run = this.run(migrationId);
        const vm = this.find(run.vmUuid);
        if (vm.deed !== 'holder') throw failure('deed-refused', `${this.name} does not hold ${vm.vmName}`);
        Object.assign(vm, { fenced: false, running: start });
        if (start) run.startedAt ??= '2026-11-22T14:02:31.000Z';
        return { started: start, changes: ['vif 0: xenbr0 → br-dmz'] };
      },
      probeVm: async () => [{ check: 'domain', passed: true, detail: 'running' }],
      signReceipt: async ({ receipt }) => {
        const side = receipt.body.source.name === this.name ? 'source' : 'destination';
        const read = disks.map(({ vdev, sizeBytes }) => ({ vdev, sizeBytes, digest: root, direct: true }));
        const body =
          side === 'destination' && receipt.body.disks.length === 0 ? { ...receipt.body, disks: read } : receipt.body;
        const known = { body, signatures: { ...receipt.signatures, [side]: 'A'.repeat(86) } };
        const at = this.receipts.findIndex((one) => one.body.migrationId === body.migrationId);
        this.receipts.splice(at < 0 ? this.receipts.length : at, at < 0 ? 0 : 1, known);
        return known;
      },
      abortRun: async ({ migrationId }) => {
        const run = this.run(migrationId);
        const vm = this.find(run.vmUuid);
        let restarted = false;
        if (run.run === 'open') {
          run.run = 'aborted';
          vm.fenced = false;
          restarted = run.wasRunning === true && !vm.running;
          if (restarted) vm.running = true;
        }
        return { ...this.stateOf(migrationId), restarted };
      },
      closeLanding: async () => undefined,
      checkHold: async ({ vmUuid }) => {
        const vm = this.find(vmUuid);
        if (vm.released) throw failure('revert-refused', `the copy of ${vm.vmName} was released`);
        const { lineage, token } = vm;
        const migrationId = [...this.runs].find(([, one]) => one.vmUuid === vmUuid)?.[0] ?? randomUUID();
        return { migrationId, deed: signed({ ...ends(this), kind: 'deed', lineage, token, root: null }) };
      },
      beginReturn: async ({ vmUuid }) => {
        const vm = this.find(vmUuid);
        const [migrationId, run] = [...this.runs].find(([, one]) => one.vmUuid === vmUuid) ?? [randomUUID(), null];
        if (run === null || vm.deed === null)
          throw failure('revert-refused', `${vm.vmName} did not come here by a move`);
        Object.assign(run, { run: 'open', wasRunning: vm.running });
        return { migrationId, ranSince: run.startedAt, wasRunning: vm.running, from: 'nobody' };
      },
      giveBack: async ({ migrationId }) => {
        const run = this.run(migrationId);
        const vm = this.find(run.vmUuid);
        if (run.run === 'open') {
          if (vm.running || !vm.fenced) throw failure('deed-refused', `${vm.vmName} is not fenced`);
          Object.assign(run, { run: 'returned', token: run.token + 1 });
          vm.deed = 'none';
        }
        return { deed: signed({ ...ends(this), kind: 'deed', lineage: vm.lineage, token: run.token, root: null }) };
      },
      takeBack: async ({ deed }) => {
        const vm = this.ofLineage(deed.body.lineage);
        const [migrationId, run] = [...this.runs].find(([, one]) => one.vmUuid === vm.vmUuid) ?? [];
        if (run === undefined || migrationId === undefined) throw failure('unknown-run', 'no such run');
        Object.assign(run, { run: 'returned', token: deed.body.token });
        Object.assign(vm, { deed: 'holder', token: deed.body.token });
        return { migrationId };
      },
      settleHold: async ({ vmUuid }) => {
        const { lineage, token } = this.find(vmUuid);
        return { settled: signed({ ...ends(this), kind: 'settled', lineage, token }), released: [] };
      },
      finishHold: async ({ settled }) => {
        const vm = this.ofLineage(settled.body.lineage);
        vm.released = true;
        return { released: [`copy-${vm.vmUuid.slice(0, 8)}`] };
      },
    };
  }

  private ofLineage(lineage: string): FakeVm {
    const found = [...this.vms.values()].find((one) => one.lineage === lineage);
    if (found === undefined) throw failure('unknown-vm', `${this.name} has no VM of lineage ${lineage}`);
    return found;
  }

  private find(vm: string): FakeVm {
    const found = this.vms.get(vm) ?? [...this.vms.values()].find((one) => one.vmName === vm);
    if (found === undefined) throw failure('unknown-vm', `${this.name} has no VM ${vm}`);
    return found;
  }

  private run(migrationId: string): FakeRun {
    const run = this.runs.get(migrationId);
    if (run === undefined) throw failure('unknown-run', `${this.name} knows no run of ${migrationId}`);
    return run;
  }

  private stateOf(migrationId: string): RunState {
    const { run, token, vmUuid } = this.run(migrationId);
    const vm = this.find(vmUuid);
    return { deedState: vm.deed ?? 'none', token, run, domain: vm.running ? 'running' : 'stopped', fenced: vm.fenced };
  }
}

/** A failure as the activities' edge makes it. */
export function failure(type: ErrorType, message: string): ApplicationFailure {
  const { hint, retryable } = { hint: undefined, retryable: undefined, ...errorKind(type) };
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: retryable !== true,
    details: [{ hint: hint ?? null }],
  });
}

export const root = 'ab'.repeat(32);
const disks = [
  { vdev: 'xvda', sizeBytes: 2 ** 20, sectorBytes: 512 },
  { vdev: 'xvdb', sizeBytes: 2 ** 20, sectorBytes: 512 },
];

/** A transfer's heartbeat half way. */
function transferring() {
  return {
    step: 'send' as const,
    disks: disks.map(({ vdev, sizeBytes }) => ({ vdev, verifiedBytes: sizeBytes / 2, totalBytes: sizeBytes })),
    wireBytes: 2 ** 19,
    bytesPerSecond: 2 ** 27,
    streams: 8,
    retries: 0,
    paused: false,
    limitBytesPerSecond: null,
    trouble: null,
  };
}

/** Waits as a good activity does: heartbeating, and giving way to a cancellation. */
async function held(released: Promise<void>): Promise<void> {
  const beat = (): void => {
    heartbeat(activityInfo().activityType === 'sendDisks' ? transferring() : null);
  };
  beat();
  const timer = setInterval(beat, 50);
  const cancelled = new Promise<never>((_resolve, reject) => {
    const signal = cancellationSignal();
    const stop = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([released, cancelled]);
  } finally {
    clearInterval(timer);
  }
}

function identityOf(name: string): string {
  return `ed25519:${name.replace(/[^a-z0-9]/g, '').padEnd(43, 'A')}`;
}

function ends(host: FakeHost): { v: 1; from: string; to: string } {
  return { v: 1, from: identityOf(host.name), to: identityOf(host.peers[0] ?? 'nobody') };
}

function signed<Body extends StatementBody>(body: Body): Signed<Body> {
  return { body, signature: 'A'.repeat(86) };
}

function deedOf({ lineage, token, deed }: FakeVm): {
  lineage: string;
  token: number;
  state: DeedState;
  runToken: number;
} {
  return { lineage, token, state: deed ?? 'none', runToken: 0 };
}
