import { z } from 'zod';
import { identity, recipient, vdev, vmName, vmUuid } from './names.ts';
import { protocolVersion } from './protocol.ts';
import { concern } from './survey.ts';

/*
 * What a source asks a destination about a configuration before any run is opened. It crosses on a data connection of its own,
 * sealed to a key that lives as long as the connection; docs/format.md, "Question".
 */

const common = { v: z.literal(protocolVersion), from: identity };
const nonce = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'not 32 bytes in base64url');
const signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/, 'not a signature');

/** Destination to source: "seal your question to this key", for the connection on which the source sent the nonce. */
export const questionKey = z.strictObject({ ...common, kind: z.literal('question-key'), nonce, recipient });
/** Source to destination: a `QuestionContent` and the key for its answer, in an age file to that key. */
export const question = z.strictObject({
  ...common,
  kind: z.literal('question'),
  to: identity,
  recipient,
  sealed: z.base64(),
});
export type QuestionKey = z.infer<typeof questionKey>;
export type Question = z.infer<typeof question>;

export const signedQuestionKey = z.strictObject({ body: questionKey, signature });
export const signedQuestion = z.strictObject({ body: question, signature });

/** A VM as it would cross: its configuration, and its disks that would land. */
export const questionContent = z.strictObject({ vmUuid, vmName, config: z.string(), disks: z.array(vdev) });
export type QuestionContent = z.infer<typeof questionContent>;

/** What the destination would change and what it has against it; no line holds a path; docs/format.md says what it may hold. */
export const questionAnswer = z.strictObject({ changes: z.array(z.string()), concerns: z.array(concern) });
export type QuestionAnswer = z.infer<typeof questionAnswer>;
