import { z } from 'zod';
import { digest, identity, lineage, method, migrationId, recipient, token, vmName, vmUuid } from './names.ts';
import { protocolVersion } from './protocol.ts';

const common = { v: z.literal(protocolVersion), lineage, from: identity, to: identity, token };

/** Source to destination: "I mean to hand this VM over to you, by this method." */
export const offer = z.strictObject({ ...common, kind: z.literal('offer'), migrationId, vmUuid, vmName, method });
/** Destination to source: "seal to this key"; the secret half never leaves the destination. */
export const runKey = z.strictObject({ ...common, kind: z.literal('key'), recipient });
/** Source to destination, first on every data connection and in a container's head: the session's key, wrapped to the run's key. */
export const session = z.strictObject({
  ...common,
  kind: z.literal('session'),
  /** Counts the sender's starts within the run from 1; a higher one closes the lower ones at the landing. */
  number: z.int().min(1),
  recipient,
  /** The age file that holds the 32-byte session key, in base64. */
  wrapped: z.base64().max(2048),
});
/** Destination to source: "every chunk of every disk is here, read back, and this is their root." */
export const ready = z.strictObject({ ...common, kind: z.literal('ready'), root: digest });
/** "It is yours to run, no longer mine": ceded by the source with the root, or given back by the destination without. */
export const deed = z.strictObject({ ...common, kind: z.literal('deed'), root: digest.nullable() });

/** Destination to source, after the accept: "it stays; what you ceded by this token never comes back to you from here." */
export const settled = z.strictObject({ ...common, kind: z.literal('settled') });

/** "This is the key of my end of this run's IPsec tunnel": an Ed25519 public key, drawn for one raising of it. */
export const tunnel = z.strictObject({
  ...common,
  kind: z.literal('tunnel'),
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'not an Ed25519 public key'),
});

/** Why an operator claims a VM, in his own words. */
export const reason = z.string().trim().min(3).max(500);
/**
 * Operator to the host `to`: "the host `against` is gone for good, or has lost this VM; by my word the copy at `to` is the VM, under
 * this token." Whoever sees it counts `against` as a host that has no right any more.
 */
export const claim = z.strictObject({ ...common, kind: z.literal('claim'), against: identity, vmUuid, vmName, reason });

export const statementBody = z.discriminatedUnion('kind', [
  offer,
  runKey,
  session,
  ready,
  deed,
  settled,
  claim,
  tunnel,
]);
export type StatementBody = z.infer<typeof statementBody>;
export type StatementKind = StatementBody['kind'];

/** A statement and its Ed25519 signature (base64url) by `body.from` over the canonical JSON of `body`. */
export interface Signed<Body extends StatementBody = StatementBody> {
  body: Body;
  signature: string;
}
const signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'not a signature');
export const signedOffer = z.strictObject({ body: offer, signature });
export const signedRunKey = z.strictObject({ body: runKey, signature });
export const signedSession = z.strictObject({ body: session, signature });
export const signedReady = z.strictObject({ body: ready, signature });
export const signedDeed = z.strictObject({ body: deed, signature });
export const signedSettled = z.strictObject({ body: settled, signature });
export const signedTunnel = z.strictObject({ body: tunnel, signature });
export const signedClaim = z.strictObject({ body: claim, signature });

export type Offer = z.infer<typeof offer>;
export type RunKey = z.infer<typeof runKey>;
export type Session = z.infer<typeof session>;
export type Ready = z.infer<typeof ready>;
export type Deed = z.infer<typeof deed>;
export type Settled = z.infer<typeof settled>;
export type Tunnel = z.infer<typeof tunnel>;
export type Claim = z.infer<typeof claim>;
