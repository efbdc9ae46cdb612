import type { MigrationStatus, MoveHandle, MoveProgress, Receipt, TransferProgress } from '../../client/index.ts';

const vmUuid = '3f1f8a52-8d4e-4a2b-9a53-0b7f6f0f7a01';
const migrationId = '1b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b';
const mebibyte = 1024 * 1024;

export function statusExample(change: Partial<MigrationStatus> = {}): MigrationStatus {
  return {
    migrationId,
    kind: 'migrate',
    vmUuid,
    vmName: 'web-1',
    from: 'lon-1',
    to: 'fra-1',
    method: 'sealed',
    phase: 'survey',
    waits: [],
    waitsForPerson: false,
    done: [],
    lineage: null,
    token: null,
    root: null,
    concerns: [],
    paused: false,
    approvedBy: null,
    progress: null,
    error: null,
    ...change,
  };
}

export function transferExample(change: Partial<TransferProgress> = {}): TransferProgress {
  return {
    step: 'send',
    disks: [
      { vdev: 'xvda', verifiedBytes: 312 * mebibyte, totalBytes: 512 * mebibyte },
      { vdev: 'xvdb', verifiedBytes: 64 * mebibyte, totalBytes: 64 * mebibyte },
    ],
    wireBytes: 200 * mebibyte,
    bytesPerSecond: 100 * mebibyte,
    streams: 8,
    retries: 0,
    paused: false,
    limitBytesPerSecond: null,
    trouble: null,
    ...change,
  };
}

export function lookExample(status: Partial<MigrationStatus>, change: Partial<MoveProgress> = {}): MoveProgress {
  const whole = statusExample(status);
  return {
    phase: whole.phase,
    verifiedBytes: 0,
    totalBytes: 0,
    transfer: null,
    pending: [],
    trouble: null,
    status: whole,
    closed: false,
    ...change,
  };
}

export function receiptExample(change: Partial<Receipt['body']> = {}): Receipt {
  const at = '2026-11-22T14:02:00.000Z';
  return {
    body: {
      v: 1,
      migrationId,
      lineage: '0123456789abcdef0123456789abcdef',
      token: 2,
      vmUuid,
      vmName: 'web-1',
      method: 'sealed',
      source: { name: 'lon-1', identity: `ed25519:${'A'.repeat(43)}` },
      destination: { name: 'fra-1', identity: `ed25519:${'B'.repeat(42)}A` },
      root: '4f'.repeat(32),
      disks: [{ vdev: 'xvda', sizeBytes: 512 * mebibyte, digest: 'ab'.repeat(32), direct: true }],
      plainBytes: 576 * mebibyte,
      wireBytes: 203 * mebibyte,
      retries: 0,
      phases: [
        { phase: 'survey', at, ms: 300 },
        { phase: 'move', at, ms: 5100 },
        { phase: 'start', at, ms: 400 },
      ],
      downMs: 12_400,
      changes: ['xvda: a new path'],
      concerns: [],
      approvedBy: null,
      probe: [{ check: 'domain', passed: true, detail: 'running' }],
      ...change,
    },
    signatures: { source: null, destination: null },
  };
}

/** A move that a test tells: its looks one after another, then its result or the error it ended with. */
export function moveExample(looks: MoveProgress[], end: Receipt | Error, steered: string[] = []): MoveHandle {
  const note = (what: string) => (): Promise<void> => {
    steered.push(what);
    return Promise.resolve();
  };
  return {
    workflowId: `migrate/${vmUuid}`,
    vmUuid,
    status: () => Promise.resolve(looks.at(-1)?.status ?? statusExample()),

    async *progress({ signal } = {}) {
      for (const look of looks) yield look;
      if (looks.at(-1)?.closed !== true) await new Promise((resolve) => signal?.addEventListener('abort', resolve));
    },
    abort: () => {
      steered.push('abort');
      return Promise.resolve({ outcome: 'aborted', restarted: true });
    },
    wait: (minutes) => note(`wait ${String(minutes)}`)(),
    destroy: (name, by) => note(`destroy ${name} by ${by === '' ? 'nobody' : 'somebody'}`)(),
    result: () => (end instanceof Error ? Promise.reject(end) : Promise.resolve(end)),
    pause: note('pause'),
    resume: note('resume'),
    throttle: (limit) => note(`throttle ${String(limit)}`)(),
    approve: ({ by }) => note(`approve ${by}`)(),
    leave: note('leave'),
  };
}
