import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { diskShape, sharedShape } from '../domain/manifest.ts';
import type { Deeds } from '../deed/deeds.ts';
import { loop } from '../storage/loop.ts';
import { lun } from '../storage/lun.ts';
import { volume } from '../storage/volume.ts';

/** What a host keeps for itself of a run, beside the deed's record: paths and configuration, told to nobody. */
const runNotes = z.strictObject({
  /** Source: as it crosses, uuid and MACs pinned. Destination: translated, null before READY. */
  config: z.string().nullable(),
  autostart: z.boolean(),
  /** The configuration's file in dom0; null when the source's domain was made from none that is known. */
  configPath: z.string().nullable(),
  /** Source: tells whether the file still says the same; null when there was none. */
  restDigest: z.string().nullable(),
  /** `loop`: at a source whose guest has the file by a loop device. `fresh`: reads as zeros where nothing has landed. */
  disks: z.array(
    diskShape
      .omit({ lun: true })
      .extend({ path: z.string(), fresh: z.boolean(), loop: loop.optional(), volume: volume.optional() }),
  ),
  /** The disks that both hosts reach: nothing of them crosses. */
  luns: z.array(sharedShape.omit({ lun: true }).extend({ path: z.string(), lun })).default([]),
  /** The run has a slot of this host. */
  admitted: z.boolean(),
  /** What a person asked of the transfer; holds for later sessions of the run too. */
  steer: z.strictObject({ paused: z.boolean(), limitBytesPerSecond: z.int().nullable().optional() }),
  /** Source: what the last finished transfer was, and which round it was. */
  sent: z
    .strictObject({ round: z.int(), plainBytes: z.int(), wireBytes: z.int(), retries: z.int(), streams: z.int() })
    .nullable(),
  /** `tunnel`: the public key that this host's end has now, by which strongSwan's copy of its secret is found and removed; null when there is no end here. */
  tunnelKey: z.string().nullable().default(null),
  /** Source, `staged`: the container, once it is whole, and how much of it the destination has. */
  container: z.strictObject({ bytes: z.int(), syncedBytes: z.int() }).nullable(),
  /** Destination: what the VM takes when it is started here; 0 when it is not to be. */
  memoryBytes: z.int().min(0).default(0),
  /** Destination: what the translator changed, redacted. */
  changes: z.array(z.string()),
  /** Destination: per disk of the manifest its digest, from READY on; whether the read-back bypassed the page cache. */
  digests: z.array(z.strictObject({ digest: z.string(), direct: z.boolean() })).nullable(),
  /** The domain that was ordered to shut down last, and until when it has time for it. */
  ordered: z.strictObject({ domid: z.int(), until: z.iso.datetime() }).nullable(),
  /**
   * The image of the guest's memory, once it counts: from the save at the source, from READY at the destination. `stamps`: when each
   * disk was last written then. `woken`: it was used, or never will be, and must not be used again; with the domain that it became.
   */
  memory: z
    .strictObject({
      stamps: z.array(z.string()),
      failures: z.int(),
      woken: z.strictObject({ domid: z.int().nullable(), kept: z.boolean() }).nullable(),
    })
    .nullable()
    .default(null),
  /**
   * Source, `live`: the session by which the memory of the domain goes, or went. `sending`: it runs still, or goes on where it is by itself. `handed`: the
   * destination has all of it, and the domain is suspended. `fenced`: it was so when the fence was proven: so that memory is the guest's last.
   */
  departure: z
    .strictObject({
      session: z.int(),
      domid: z.int(),
      state: z.enum(['sending', 'handed', 'fenced']),
      /** Since when it has been suspended, and what its memory took on the wire. */
      silentSince: z.iso.datetime().nullable(),
      wireBytes: z.int(),
    })
    .nullable()
    .default(null),
  /** Destination, `live`: the domain that came with its memory, by which session and which configuration. `woken`: it was let run. */
  arrival: z
    .strictObject({ session: z.int(), domid: z.int(), configDigest: z.string(), woken: z.boolean() })
    .nullable()
    .default(null),
  /** How long the logs of its console were before its start: what it says later is behind that. */
  consoles: z
    .array(z.strictObject({ path: z.string(), sizeBytes: z.int() }))
    .nullable()
    .default(null),
  /** When the VM was first started under this run's deed. */
  startedAt: z.iso.datetime().nullable(),
  /** Destination: the workflows, by their run ids, whose return was aborted: what they ordered before that may come late. */
  withdrawn: z.array(z.string()).default([]),
});
export type RunNotes = z.infer<typeof runNotes>;

export const emptyNotes: RunNotes = {
  config: null,
  autostart: false,
  configPath: null,
  restDigest: null,
  disks: [],
  luns: [],
  consoles: null,
  admitted: false,
  steer: { paused: false },
  sent: null,
  container: null,
  tunnelKey: null,
  memoryBytes: 0,
  changes: [],
  digests: null,
  ordered: null,
  memory: null,
  departure: null,
  arrival: null,
  startedAt: null,
  withdrawn: [],
};

/** The notes of a migration's run; null while there are none. Throws `unknown-run`, and `unknown-state` for notes that do not parse. */
export function findNotes(deeds: Deeds, migrationId: string): RunNotes | null {
  const { notes } = deeds.byMigration(migrationId).run;
  if (notes === null) return null;
  const parsed = runNotes.safeParse(notes);
  if (!parsed.success) throw new SealiftError('unknown-state', `the notes of migration ${migrationId} do not parse`);
  return parsed.data;
}

/** The same where a run without notes is a run that was not finished opening. */
export function readNotes(deeds: Deeds, migrationId: string): RunNotes {
  const notes = findNotes(deeds, migrationId);
  if (notes === null)
    throw new SealiftError('unknown-run', `the run of migration ${migrationId} was not opened to its end`);
  return notes;
}

/** Changes some of a run's notes; durable when it returns. */
export function updateNotes(deeds: Deeds, migrationId: string, change: Partial<RunNotes>): void {
  deeds.setNotes(migrationId, { ...(findNotes(deeds, migrationId) ?? emptyNotes), ...change });
}

/** The LUNs of a VM, by its last run that knew of any. */
export function lunsOf(deeds: Deeds, { lineage }: { lineage: string }): RunNotes['luns'] {
  for (const { migrationId } of deeds.runs(lineage).reverse()) {
    const luns = findNotes(deeds, migrationId)?.luns ?? [];
    if (luns.length > 0) return luns;
  }
  return [];
}
