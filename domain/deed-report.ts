import { z } from 'zod';
import { digest, hostName, identity, lineage, migrationId, token, vdev, vmName, vmUuid } from './names.ts';
import { signedClaim, signedDeed, signedOffer, signedReady, signedSettled } from './statement.ts';
import { deedState, domainState } from './survey.ts';

/** The statements by which a right is offered, moved or claimed: no key is in any of them, so that people may carry them about. */
export const carriedStatement = z.union([signedOffer, signedReady, signedDeed, signedSettled, signedClaim]);
export type CarriedStatement = z.infer<typeof carriedStatement>;
const carriedKinds: ReadonlySet<string> = new Set(['offer', 'ready', 'deed', 'settled', 'claim']);

/** The steps that `deed explain` tells of. */
export type DeedStep = (typeof deedSteps)[number];
const deedSteps = [
  'start',
  'stop',
  'fence',
  'open',
  'receive',
  'ready',
  'cede',
  'abort',
  'accept',
  'give-back',
  'take-back',
  'revert',
  'finish',
  'gc',
  'claim',
  'heed',
] as const;

/** A step, and whether the host's record permits it now. */
const explainedStep = z.object({
  step: z.enum(deedSteps),
  possible: z.boolean(),
  /** The guard that refuses it; null when it is possible. */
  why: z.string().nullable(),
});
export type ExplainedStep = z.infer<typeof explainedStep>;

/**
 * One host's side of a VM's deed: what its record says, what is seen there, what it permits. `deed show --json` prints it. Hosts of
 * different versions read each other's: what this one does not know is left out.
 */
export const deedReport = z.object({
  v: z.literal(1),
  host: hostName,
  identity,
  vmUuid,
  vmName,
  /** Null when the host has no record of the VM. */
  record: z
    .object({
      lineage,
      token,
      state: deedState,
      runToken: z.int().min(0),
      /** READY was signed here for the record's token: the copy is whole. */
      whole: z.boolean(),
      /** A fence was begun and not taken off. */
      fenced: z.boolean(),
      peer: identity.nullable(),
      wasRunning: z.boolean().nullable(),
    })
    .nullable(),
  /** In plain words: may the VM run here, and why not. */
  standing: z.string(),
  runs: z.array(
    z.object({
      migrationId,
      role: z.enum(['source', 'destination']),
      state: z.enum(['open', 'aborted', 'ceded', 'accepted', 'returned']),
      token,
      peer: z.string(),
      root: digest.nullable(),
      released: z.boolean(),
      collected: z.boolean(),
    }),
  ),
  domain: domainState.or(z.literal('unknown')),
  disks: z.array(z.object({ vdev, there: z.boolean(), fenced: z.boolean(), mark: z.string().nullable() })),
  /** Commands that were begun on the VM and may still take effect. */
  intents: z.array(z.object({ what: z.string(), at: z.string() })),
  /** What people chose, oldest first. */
  events: z.array(z.object({ at: z.string(), who: z.string(), what: z.string(), detail: z.string() })),
  statements: z
    .array(z.looseObject({ body: z.looseObject({ kind: z.string() }) }))
    .transform((all) => all.filter(({ body }) => carriedKinds.has(body.kind)))
    .pipe(z.array(carriedStatement)),
  steps: z
    .array(z.looseObject({ step: z.string() }))
    .transform((all) => all.filter(({ step }) => (deedSteps as readonly string[]).includes(step)))
    .pipe(z.array(explainedStep)),
});
export type DeedReport = z.infer<typeof deedReport>;

/** What another host's report means for what is possible here. */
export const deedWord = deedReport.pick({ host: true, identity: true, record: true, statements: true });
export type DeedWord = z.infer<typeof deedWord>;
