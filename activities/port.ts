import type { DeedReport, DeedWord } from '../domain/deed-report.ts';
import type { MigrationInput, ProbeSpec } from '../domain/migration.ts';
import type { DiskShape } from '../domain/manifest.ts';
import type { Method } from '../domain/names.ts';
import type { Receipt, ReceiptBody } from '../domain/receipt.ts';
import type { Claim, Deed, Offer, Ready, RunKey, Settled, Signed, Tunnel } from '../domain/statement.ts';
import type {
  Concern,
  DeedState,
  DestinationSurvey,
  DomainState,
  HostCard,
  LinkSurvey,
  SourceSurvey,
  VmSummary,
} from '../domain/survey.ts';

/** Names one side of one run at a host. */
export interface RunRef {
  migrationId: string;
}

/** What a host's own record says of a run: decides what may follow, whatever the workflow remembers (I7, I9). */
export interface RunState {
  deedState: DeedState;
  token: number;
  /** `open`: bytes may cross. `aborted`: spent. `ceded`: the source's point of no return is passed. `accepted`: the destination holds the deed. `returned`: given back. */
  run: 'open' | 'aborted' | 'ceded' | 'accepted' | 'returned';
  domain: DomainState;
  fenced: boolean;
}

export interface VmReport {
  summary: VmSummary;
  disks: (DiskShape & { path: string; problem: string | null })[];
  concerns: Concern[];
  /** Marks beside the disks and beside Xen's configuration, one line each. */
  marks: string[];
  /** Since when a VM that came by a move has run here: what a revert leaves behind. Null when it did not. */
  ranSince: string | null;
  /** The open run, or the last one, whose end was cut short: what `abortRun` would end; null when there is none. `peer`: the other host. */
  run: { migrationId: string; peer: string | null } | null;
}

export interface TransferSummary {
  plainBytes: number;
  wireBytes: number;
  retries: number;
  streams: number;
}

export interface GarbageItem {
  id: string;
  kind: 'released-copy' | 'returned-copy' | 'abandoned-landing' | 'container' | 'memory';
  vmName: string;
  bytes: number;
  note: string;
  /** The host that has to say first that it gave the run up, by name (by identity when it is no peer any more); null when nobody needs to be asked. */
  source: string | null;
}

/**
 * The steps and questions that a host's worker answers on the task queue `host.<name>`. Every step looks before it acts and
 * may be run twice, and late. Failures are ApplicationFailures whose type is an `ErrorType`. A statement in a result has
 * been committed to the host's database before it is returned.
 */
export interface HostActivities {
  // Questions, asked by programs as standalone activities; nothing changes on the host but the log of `adoptVm` and `removeGarbage`.
  hostCard(): Promise<HostCard>;
  listVms(): Promise<VmSummary[]>;
  inspectVm(ask: { vm: string }): Promise<VmReport>;
  /** The VM of a uuid, when this host has a domain, a configuration or a record of it. */
  seeVm(ask: { vmUuid: string }): Promise<VmSummary | null>;
  /**
   * Draws the VM's lineage; refused where a mark, a record or a saved image says otherwise, where a host in `elsewhere` reported
   * the uuid, or where one in `notAsked` did not answer and is not in `withoutAsking`: those that a person named, which is logged.
   */
  adoptVm(ask: {
    vm: string;
    by: string;
    elsewhere: string[];
    notAsked: string[];
    withoutAsking: string[];
  }): Promise<{ vmUuid: string; lineage: string; token: number }>;
  listGarbage(): Promise<GarbageItem[]>;
  /** `givenUp`: items whose `source` was asked. */
  removeGarbage(ask: {
    ids: string[];
    givenUp: string[];
    by: string;
  }): Promise<{ removed: GarbageItem[]; refused: { id: string; why: string }[] }>;
  findReceipts(ask: { vm?: string; migrationId?: string }): Promise<Receipt[]>;
  runState(ask: RunRef): Promise<RunState>;
  /** This host's side of a VM's deed; `peers`, what other hosts told, counts in what is possible. Null for a VM it knows nothing of. */
  deedReport(ask: { vm: string; peers: DeedWord[] }): Promise<DeedReport | null>;
  /** Heeds what concerns this host, and tells the claims that it has itself; `told` are those in plain words. */
  exchangeClaims(ask: { claims: Signed<Claim>[] }): Promise<{ claims: Signed<Claim>[]; told: string[] }>;

  // Survey.
  /** An open run of another migration than these two refuses the move. A VM that its open run has fenced is surveyed from that run's notes. */
  surveySource(ask: {
    vmUuid: string;
    to: string;
    method: Method;
    keepMemory?: boolean | undefined;
    migrationId?: string | undefined;
    supersede?: string | undefined;
  }): Promise<SourceSurvey>;
  surveyDestination(ask: {
    source: SourceSurvey;
    method: Method;
    pool?: string | undefined;
  }): Promise<DestinationSurvey>;
  /** The round trip, and what the destination says to the VM's configuration, which it is shown past Temporal. */
  surveyLink(ask: { vmUuid: string; method: Method; destination: HostCard }): Promise<LinkSurvey>;

  // The run. The source's side of opening, and the destination's side of receiving.
  openRun(ask: {
    input: Pick<MigrationInput, 'migrationId' | 'vmUuid' | 'vmName' | 'method'> & { keepMemory?: boolean | undefined };
    to: string;
    supersede?: string | undefined;
  }): Promise<{
    offer: Signed<Offer>;
    run: RunState['run'];
  }>;
  receiveRun(ask: {
    offer: Signed<Offer>;
    placement: DestinationSurvey['placement'];
    disks: DiskShape[];
    /** What the VM takes when it is started here; default 0: it is not to be. */
    memoryBytes?: number | undefined;
    from: string;
  }): Promise<{ key: Signed<RunKey> }>;

  /** The last look before the VM is stopped: takes a slot (`host-busy`); at the destination, names, space and memory once more. */
  admitRun(ask: RunRef): Promise<void>;
  /**
   * Orders the guest to shut down and waits until the domain is gone, at most `graceMs`; or saves it, where its run keeps memory. Remembers the power state it found
   * first. `handOver`, for `live`: sends its memory there instead, after which it waits, suspended for `silentMs`.
   */
  stopVm(
    ask: RunRef & {
      graceMs: number;
      handOver?: { key: Signed<RunKey>; destination: HostCard; limitBytesPerSecond?: number | undefined } | undefined;
    },
  ): Promise<{
    outcome: 'stopped' | 'stuck';
    wasRunning: boolean;
    detail: string;
    silentMs?: number;
    wireBytes?: number;
  }>;
  /** Pulls the guest's plug; `by` stands in the host's log. */
  destroyVm(ask: RunRef & { by: string }): Promise<void>;
  /** Fences storage, configuration and autostart of the source, and proves it. */
  fenceVm(ask: RunRef): Promise<void>;

  /**
   * Attaches to the run's transfer job (starts it when there is none), heartbeats `TransferProgress`, ends when all is acknowledged.
   * `round` counts from 0 how often READY found chunks missing: a round that was done is not done again. `roundTripMs` is what the survey found.
   */
  sendDisks(
    ask: RunRef & {
      key: Signed<RunKey>;
      destination: HostCard;
      roundTripMs?: number | undefined;
      streams?: number | undefined;
      limitBytesPerSecond?: number | undefined;
      round?: number | undefined;
    },
  ): Promise<TransferSummary>;
  /** `tunnel` only, source: draws a key for its end, whose public half it signs. Then `joinTunnel`, then `raiseTunnel`; all three anew each time. Null: bytes cross in one that is up. */
  offerTunnel(ask: RunRef): Promise<{ tunnel: Signed<Tunnel> | null }>;
  /** `tunnel` only, destination: makes ready for the source that signed this key. */
  joinTunnel(ask: RunRef & { tunnel: Signed<Tunnel> }): Promise<{ tunnel: Signed<Tunnel> }>;
  /** `tunnel` only, source: raises the tunnel and proves it; `sendDisks` then sends inside it, tagged and not encrypted. */
  raiseTunnel(ask: RunRef & { tunnel: Signed<Tunnel>; destination: HostCard }): Promise<{ rttMs: number }>;
  /** `staged` only: encrypts all disks into one container file on the source. */
  sealContainer(ask: RunRef & { key: Signed<RunKey> }): Promise<{ containerBytes: number }>;
  /** `staged` only: carries the container by SFTP to the server that the source's own file names for the destination. */
  sendContainer(ask: RunRef & { limitBytesPerSecond?: number | undefined }): Promise<TransferSummary>;
  /** `staged` only: verifies and decrypts the whole container onto the landing's disks. */
  openContainer(ask: RunRef): Promise<TransferSummary>;
  /** Pauses, resumes or throttles the run's transfer job while it runs; remembered for later sessions of the run. */
  steerTransfer(ask: RunRef & { paused?: boolean; limitBytesPerSecond?: number | null }): Promise<void>;

  /** Reads back what is not read back yet, compares with the manifest and signs READY; or says how many chunks are missing. */
  makeReady(ask: RunRef): Promise<{ ready: Signed<Ready> } | { missingChunks: number }>;
  /** The point of no return. Compares roots, proves fence and quiet once more, signs the deed over. */
  cede(ask: RunRef & { ready: Signed<Ready> }): Promise<{ deed: Signed<Deed>; root: string }>;
  acceptDeed(ask: RunRef & { deed: Signed<Deed> }): Promise<void>;
  /** Only the holder: unfences its copy, writes the translated configuration, restores autostart and, when asked, starts the domain; `memory`: what became of a memory that was to be kept. */
  startVm(
    ask: RunRef & { start: boolean },
  ): Promise<{ started: boolean; changes: string[]; memory?: 'kept' | 'lost' | undefined }>;
  probeVm(ask: RunRef & { probe: ProbeSpec }): Promise<ReceiptBody['probe']>;
  /** Adds what only the destination knows, signs; then the source countersigns; then the destination keeps both. */
  signReceipt(ask: RunRef & { receipt: Receipt }): Promise<Receipt>;

  /** Source: ends the run if the deed was not ceded, and brings the VM back to the power state it had. Never fails because it was done before. */
  abortRun(ask: RunRef): Promise<RunState & { restarted: boolean }>;
  /** Destination: closes the landing of the run; chunks and journal stay. */
  closeLanding(ask: RunRef): Promise<void>;

  // The hold. `revert`: return, stop and fence at the destination, give back; take back and start at the source.
  /** Asked of the source first: a copy that `finishHold` released cannot be gone back to. */
  checkHold(ask: { vmUuid: string }): Promise<RunRef & { deed: Signed<Deed> }>;
  beginReturn(ask: {
    vmUuid: string;
    to: string;
    deed: Signed<Deed>;
  }): Promise<RunRef & { ranSince: string | null; wasRunning: boolean; from: string }>;
  giveBack(ask: RunRef): Promise<{ deed: Signed<Deed> }>;
  takeBack(ask: { deed: Signed<Deed> }): Promise<RunRef>;
  /** Holder: gives up the return of what came by `token`, by the word of the person `by`; `released` are its own older copies, now garbage. */
  settleHold(ask: {
    vmUuid: string;
    token: number;
    by: string;
  }): Promise<{ settled: Signed<Settled>; released: string[] }>;
  /** Source: ends the hold by the holder's word; its fenced copy becomes garbage that `removeGarbage` may remove. */
  finishHold(ask: { settled: Signed<Settled>; by: string }): Promise<{ released: string[] }>;
}
