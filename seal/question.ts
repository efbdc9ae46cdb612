import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { questionAnswer, questionContent } from '../domain/question.ts';
import type { QuestionAnswer, QuestionContent } from '../domain/question.ts';
import { canonicalBytes, parseCanonical } from './canonical.ts';

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const context = Buffer.from('sealift/1 answer\n');

const sealedQuestion = z.strictObject({ answerKey: z.base64url().length(43), content: questionContent });

/** Seals a question to `recipient`: an age file in base64. `answerKey` opens its answer, and nothing else. */
export async function sealQuestion(
  content: QuestionContent,
  recipient: string,
): Promise<{ sealed: string; answerKey: Buffer }> {
  const answerKey = randomBytes(keyBytes);
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const plain = canonicalBytes({ answerKey: answerKey.toString('base64url'), content });
  return { sealed: Buffer.from(await encrypter.encrypt(new Uint8Array(plain))).toString('base64'), answerKey };
}

/** Opens a question with the secret half of its key. Throws 'tag-mismatch', 'bad-frame'. */
export async function openQuestion(
  sealed: string,
  secret: string,
): Promise<{ content: QuestionContent; answerKey: Buffer }> {
  const parsed = sealedQuestion.safeParse(parseCanonical(await decrypted(sealed, secret)));
  // Not what is wrong with it: it holds a configuration.
  if (!parsed.success) throw new SealiftError('bad-frame', 'a question is not of the form of one');
  return { content: parsed.data.content, answerKey: Buffer.from(parsed.data.answerKey, 'base64url') };
}

/** Seals the one answer to a question: nonce, tag, then AES-256-GCM of its canonical JSON. */
export function sealAnswer(answer: QuestionAnswer, answerKey: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', answerKey, nonce).setAAD(context);
  const body = Buffer.concat([cipher.update(canonicalBytes(answer)), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

/** Opens an answer; only who could open the question can have made it. Throws 'tag-mismatch', 'bad-frame'. */
export function openAnswer(bytes: Buffer, answerKey: Buffer): QuestionAnswer {
  const parsed = questionAnswer.safeParse(parseCanonical(verified(bytes, answerKey)));
  if (!parsed.success) throw new SealiftError('bad-frame', 'an answer is not of the form of one');
  return parsed.data;
}

function verified(bytes: Buffer, answerKey: Buffer): Buffer {
  const bodyAt = nonceBytes + tagBytes;
  try {
    const cipher = createDecipheriv('aes-256-gcm', answerKey, bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    }).setAAD(context);
    cipher.setAuthTag(bytes.subarray(nonceBytes, bodyAt));
    return Buffer.concat([cipher.update(bytes.subarray(bodyAt)), cipher.final()]);
  } catch {
    throw new SealiftError('tag-mismatch', 'an answer does not verify under the key of its question');
  }
}

/** The cause stays out of the error: nothing that age says of a secret may reach a log. */
async function decrypted(sealed: string, secret: string): Promise<Buffer> {
  try {
    const decrypter = new Decrypter();
    decrypter.addIdentity(secret);
    return Buffer.from(await decrypter.decrypt(new Uint8Array(Buffer.from(sealed, 'base64'))));
  } catch {
    throw new SealiftError('tag-mismatch', 'a question does not open with the key of its connection');
  }
}
