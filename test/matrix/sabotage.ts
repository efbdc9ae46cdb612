import type { Edit } from './edits.ts';

/** A build in which one guard is taken out, and those that would hold in its place: the judge must see what comes of it. */
export interface Sabotage {
  name: string;
  edits: Edit[];
}

/** READY takes chunks whose digest is not the manifest's: the second guard behind each chunk's tag. */
const straysStay: Edit = {
  file: 'activities/handover.ts',
  old: 'if (!digest.equals(digests.subarray(',
  new: 'if (false && !digest.equals(digests.subarray(',
};

/** READY does not mind what is missing: the second guard behind what the landing says that it holds. */
const missingStays: Edit = {
  file: 'activities/handover.ts',
  old: '(await host.landing.readBack(place, onProgress, signal)).missing.length;',
  new: '(await host.landing.readBack(place, onProgress, signal)).missing.length * 0;',
};

export const sabotages: Sabotage[] = [
  {
    name: 'a configuration in the environment of xl',
    edits: [
      {
        file: 'activities/power.ts',
        old: 'wakeVm(host, { ...ask, record, configPath }, env)',
        new: "wakeVm(host, { ...ask, record, configPath }, { ...env, CONFIG: notes.config ?? '' })",
      },
    ],
  },
  {
    name: 'fence skipped',
    edits: [
      {
        file: 'activities/fencing.ts',
        old: 'await fence(places, fenceMark(record), host.file.fence, { env, suspended: handed !== null });',
        new: '',
      },
      {
        file: 'activities/fencing.ts',
        old: 'await proveFenced(places, fenceMark(record), host.file.fence);',
        new: '',
      },
      {
        file: 'activities/fencing.ts',
        old: 'await Promise.all([refuseLive(host, record), proveFenced(record.places, fenceMark(record), host.file.fence)]);',
        new: 'await refuseLive(host, record);',
      },
    ],
  },
  {
    name: 'token check skipped',
    edits: [
      {
        file: 'deed/destination.ts',
        old: "refuseOvertaken('accept', record, run);\n  guard('accept', 'token', token, record.token);",
        new: '',
      },
    ],
  },
  {
    name: 'verify skipped',
    edits: [
      {
        file: 'seal/chunk.ts',
        old: 'if (!decrypted(header, content, keys, target)) {',
        new: 'if (!decrypted(header, content, keys, target) && false) {',
      },
      // Else the read-back finds that the disk is not what the sender told.
      {
        file: 'transport/landing-disks.ts',
        old: 'const isTold = told?.disk === header.disk',
        new: 'const isTold = false && told?.disk === header.disk',
      },
      straysStay,
    ],
  },
  {
    name: 'acknowledgement before the sync',
    edits: [
      { file: 'transport/landing-commit.ts', old: 'await this.#sync(batch);', new: '' },
      {
        file: 'transport/landing-commit.ts',
        old: '      this.#events.onCommitted(batch, entries);',
        new: `      this.#events.onCommitted(batch, entries);
      await globalThis.matrix.at('unsynced', 'before', batch.map(({ disk, index }) => ({ disk, index })));
      await this.#sync(batch);`,
      },
    ],
  },
  {
    name: 'resume from the heartbeat alone',
    edits: [
      {
        file: 'transport/sender.ts',
        old: 'if (chunk !== null) this.#board.setOwnDigest(chunk, digest, zero);',
        new: `if (chunk === null) continue;
        this.#board.setOwnDigest(chunk, digest, zero);
        if (index < (globalThis.toldChunks?.[disk] ?? 0)) this.#board.setHeldDigest(chunk, digest);`,
      },
      {
        file: 'transport/sender.ts',
        old: 'verifiedBytes: board.doneBytesOf(disk),',
        new: 'verifiedBytes: Math.min(sizeBytes, 2 ** 22 * [...this.#options.journal.held(this.#options.run, disk)].length),',
      },
      // As Temporal keeps it, also for a step that is given anew.
      {
        file: 'activities/edge.ts',
        old: 'heartbeat(details());',
        new: "const told = details(); heartbeat(told); globalThis.matrix.remember('heartbeat', told);",
      },
      {
        file: 'activities/transfer.ts',
        old: 'host.deeds.acceptKey(ask.migrationId, ask.key);',
        new: `host.deeds.acceptKey(ask.migrationId, ask.key);
  globalThis.toldChunks = globalThis.matrix.remembered('heartbeat')?.disks.map(({ verifiedBytes }) => Math.ceil(verifiedBytes / 2 ** 22));`,
      },
      missingStays,
    ],
  },
  {
    name: 'READY without read-back',
    edits: [
      {
        file: 'transport/landing-read-back.ts',
        old: 'this.#queue.push(...chunks.slice(0, Math.max(0, mostWaiting - this.#queue.length)));',
        new: '',
      },
      { file: 'transport/landing-read-back.ts', old: 'if (readBack) continue;', new: 'continue;' },
      missingStays,
    ],
  },
  {
    name: 'start before accept',
    edits: [
      {
        file: 'deed/intents.ts',
        old: `guard(step, 'state', record.state, 'holder');
  guard(step, 'open run', record.runToken, 0);`,
        new: "guard(step, 'open run', record.runToken, 0);",
      },
      {
        file: 'activities/handover.ts',
        old: 'await takeOver(host, ask.deed);',
        new: `await (await import('./power.ts')).startVm(host, { migrationId: ask.migrationId, start: true });
  await takeOver(host, ask.deed);`,
      },
    ],
  },
];
