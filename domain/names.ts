import { z } from 'zod';

/** A host's name: letters, digits, dots and hyphens, at most 63; it names a task queue and may stand in an argument vector. */
export const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'not a host name (a-z, 0-9, "." and "-")');
/** A site's name, of the same form as a host's. */
export const siteName = hostName;
/** A VM's name as Xen takes it, never starting with a hyphen: it stands in argument vectors and file names. */
export const vmName = z
  .string()
  .max(80)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.+:-]*$/, 'not a VM name (letters, digits and "_.+:-")');
/** A Xen domain's uuid in lower case. */
export const vmUuid = z.guid().toLowerCase();
/** Names one migration: the idempotency key of its run at both hosts. A uuid. */
export const migrationId = z.uuid();
/** Drawn at adoption and carried by every statement about the VM; random, 16 bytes in hex. */
export const lineage = z.string().regex(/^[0-9a-f]{32}$/, 'not a lineage');
/** Grows with every run of a VM's deed; an adopted VM starts at 1. */
export const token = z.int().min(0);
/** A host's identity: `ed25519:` and the 32 bytes of its public key in base64url. It is its own fingerprint. */
export const identity = z
  .string()
  .regex(/^ed25519:[A-Za-z0-9_-]{43}$/, 'not an identity ("ed25519:" and 43 characters)');
/** An age X25519 recipient: the public half of a run's key. */
export const recipient = z.string().regex(/^age1[02-9ac-hj-np-z]{58}$/, 'not an age recipient');
/** A SHA-256 digest in lower-case hex. */
export const digest = z.string().regex(/^[0-9a-f]{64}$/, 'not a sha-256 digest');
/** A disk as the guest sees it: xvda, sda, hdc, … */
export const vdev = z.string().regex(/^[a-z][a-z0-9]{0,15}$/, 'not a virtual device name');
/** A pool's name on a host. */
export const poolName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'not a pool name');

export const method = z.enum(['sealed', 'staged', 'tunnel', 'live']);
export type Method = z.infer<typeof method>;
