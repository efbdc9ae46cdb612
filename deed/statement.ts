import type { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import {
  signedClaim,
  signedDeed,
  signedOffer,
  signedReady,
  signedRunKey,
  signedSession,
  signedSettled,
  signedTunnel,
  statementBody,
} from '../domain/statement.ts';
import type { Signed, StatementBody, StatementKind } from '../domain/statement.ts';
import { verifySignature } from './identity.ts';
import type { Identity } from './identity.ts';

/** The body of a statement of kind `Kind`. */
export type BodyOf<Kind extends StatementKind> = Extract<StatementBody, { kind: Kind }>;

/** What a statement must say to be taken; what is left out may be anything. */
export interface Expected<Kind extends StatementKind> {
  kind: Kind;
  /** The pinned identity of the host, or for a claim of the operator, that must have signed it. */
  from: string;
  to?: string | undefined;
  lineage?: string | undefined;
  token?: number | undefined;
}

const schemas = {
  offer: signedOffer,
  key: signedRunKey,
  session: signedSession,
  ready: signedReady,
  deed: signedDeed,
  settled: signedSettled,
  claim: signedClaim,
  tunnel: signedTunnel,
};

/** Signs `body` as `identity`. Throws 'bad-statement' when the body does not fit its schema or is another host's to sign. */
export function signStatement<Body extends StatementBody>(identity: Identity, body: Body): Signed<Body> {
  const parsed = statementBody.safeParse(body);
  if (!parsed.success) throw malformed(body.kind, parsed.error);
  if (body.from !== identity.name) throw mismatch(body.kind, 'from', body.from, identity.name);
  return { body, signature: identity.sign(body) };
}

/**
 * Takes anything, and gives it back as a statement when it has the form of one, says what is expected, and carries the
 * signature of the host `expect.from`. Throws 'bad-statement', whose message names the field.
 */
export function checkStatement<Kind extends StatementKind>(
  signed: unknown,
  expect: Expected<Kind>,
): Signed<BodyOf<Kind>> {
  const parsed = schemas[expect.kind].safeParse(signed);
  if (!parsed.success) throw malformed(expect.kind, parsed.error);
  const { body, signature } = parsed.data;
  for (const field of ['from', 'to', 'lineage', 'token'] as const) {
    const needed = expect[field];
    if (needed !== undefined && body[field] !== needed) throw mismatch(expect.kind, field, body[field], needed);
  }
  if (!verifySignature(body.from, body, signature)) {
    throw new SealiftError('bad-statement', `${expect.kind}: the signature is not that of ${body.from}`);
  }
  // the schema was picked by the kind, which the compiler cannot follow through the table
  return parsed.data as Signed<BodyOf<Kind>>;
}

/**
 * What a statement says it is about, by its form only: enough to find the record that it has to be checked against.
 * Throws 'bad-statement' when it does not have the form.
 */
export function claimOf(kind: StatementKind, signed: unknown): { lineage: string; token: number } {
  const parsed = schemas[kind].safeParse(signed);
  if (!parsed.success) throw malformed(kind, parsed.error);
  const { lineage, token } = parsed.data.body;
  return { lineage, token };
}

function malformed(kind: string, error: z.ZodError): SealiftError {
  const [first] = error.issues;
  const field = first === undefined || first.path.length === 0 ? 'statement' : first.path.join('.');
  return new SealiftError('bad-statement', `${kind}: ${field} is malformed: ${first?.message ?? 'unknown'}`);
}

function mismatch(kind: string, field: string, is: string | number, needed: string | number): SealiftError {
  return new SealiftError('bad-statement', `${kind}: ${field} is ${String(is)}, expected ${String(needed)}`);
}
