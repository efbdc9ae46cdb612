import { z } from 'zod';
import { espProposal } from './host-file.ts';
import { diskShape } from './manifest.ts';
import { hostName, identity, lineage, poolName, siteName, vdev, vmName, vmUuid } from './names.ts';

/** What a host tells about itself; everybody may see it. */
export const hostCard = z.strictObject({
  name: hostName,
  site: siteName,
  identity,
  /** `sealift` version of the host's worker. */
  version: z.string(),
  protocolVersion: z.int(),
  xenVersion: z.string(),
  landing: z.strictObject({ address: z.string(), port: z.int() }),
  pools: z.array(
    z.strictObject({ name: poolName, kind: z.enum(['folder', 'lvm']), freeBytes: z.int(), totalBytes: z.int() }),
  ),
  /** Where `staged` may send containers; null when the host runs no SSH server for it. */
  staging: z
    .strictObject({ address: z.string(), port: z.int(), user: z.string(), hostKey: z.string(), folder: z.string() })
    .nullable(),
  peers: z.array(hostName),
  freeMemoryBytes: z.int(),
  /** What the ESP of its tunnels is to be. */
  esp: espProposal.optional(),
  /** Of its processors, as its hypervisor tells them. */
  cpuFeatures: z.string().max(500).optional(),
});
export type HostCard = z.infer<typeof hostCard>;

export const domainState = z.enum(['running', 'paused', 'shutdown', 'dying', 'crashed', 'stopped']);
export type DomainState = z.infer<typeof domainState>;
export const deedState = z.enum(['none', 'holder', 'receiving', 'ceded']);
export type DeedState = z.infer<typeof deedState>;

/** What a host's record says of a VM. */
const vmDeed = z.strictObject({
  lineage,
  token: z.int(),
  state: deedState,
  runToken: z.int(),
  /** The host that it was ceded to, or came from, by the name that this host trusts it under. */
  peer: hostName.nullable(),
  /**
   * The newest copy that was ceded from here and did not come back, whatever the record says since: to whom, by which token, and
   * whether its hold has ended, so that it may be gone.
   */
  ceded: z.strictObject({ token: z.int(), peer: hostName.nullable(), released: z.boolean() }).nullable(),
});

/** One VM on one host, as `vm list` shows it: domains, configurations at rest and fenced copies alike. */
export const vmSummary = z.strictObject({
  vmUuid: vmUuid.nullable(),
  vmName,
  state: domainState,
  memoryBytes: z.int(),
  diskBytes: z.int(),
  autostart: z.boolean(),
  fenced: z.boolean(),
  deed: vmDeed.nullable(),
  /** Trouble in one line, when the VM cannot be read as a whole. */
  problem: z.string().nullable(),
});
export type VmSummary = z.infer<typeof vmSummary>;

/** A named doubt about a move. `refuses` stops it before anything is changed. */
export const concern = z.strictObject({
  name: z.string(),
  severity: z.enum(['note', 'warns', 'refuses']),
  text: z.string(),
  remedy: z.string().nullable(),
});
export type Concern = z.infer<typeof concern>;

/** The VM to be moved, seen from its source: sizes and names only, no path and no configuration. */
export const sourceSurvey = z.strictObject({
  host: hostCard,
  vmUuid,
  vmName,
  state: domainState,
  memoryBytes: z.int(),
  disks: z.array(diskShape),
  deed: z.strictObject({ lineage, token: z.int(), state: deedState, runToken: z.int() }).nullable(),
  /** Whether a host command could fence each disk. */
  concerns: z.array(concern),
});
export type SourceSurvey = z.infer<typeof sourceSurvey>;

/** The same move seen from its destination. */
export const destinationSurvey = z.strictObject({
  host: hostCard,
  /** The pool each disk will land in. */
  placement: z.array(z.strictObject({ vdev, pool: poolName })),
  concerns: z.array(concern),
});
export type DestinationSurvey = z.infer<typeof destinationSurvey>;

/** The line between the two, measured by the source against the destination's landing. */
export const linkSurvey = z.strictObject({
  rttMs: z.number(),
  /** Whether the destination said what it makes of the configuration. */
  answered: z.boolean().optional(),
  concerns: z.array(concern),
});
export type LinkSurvey = z.infer<typeof linkSurvey>;
