import { randomBytes } from 'node:crypto';
import { verifySignature } from '../deed/identity.ts';
import type { Identity } from '../deed/identity.ts';
import { refusal } from '../domain/concern.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import type { HostFile } from '../domain/host-file.ts';
import { protocolVersion } from '../domain/protocol.ts';
import { signedQuestion, signedQuestionKey } from '../domain/question.ts';
import type { Question, QuestionAnswer, QuestionContent, QuestionKey } from '../domain/question.ts';
import type { HostCard } from '../domain/survey.ts';
import { canonicalBytes, parseCanonical } from '../seal/canonical.ts';
import { openAnswer, openQuestion, sealAnswer, sealQuestion } from '../seal/question.ts';
import { newRunKey } from '../seal/run-key.ts';
import type { Exchange } from '../transport/landing.ts';
import { onLine } from '../transport/line.ts';
import { maximumQuestionBytes, openingKind } from '../transport/opening.ts';
import { hereConcerns } from './fit.ts';
import type { Host } from './host.ts';
import { translateForeign } from './translation.ts';

/** The destination asks its `xl`, which may have to wait for its turn; who asks for the plan waits two minutes in all. */
const answerMs = 90_000;

/**
 * Source: asks the destination what it would make of a VM's configuration, past Temporal and before any run: sealed to a key
 * that the pinned identity of the destination signed for this connection. Throws 'landing-away', 'bad-statement' when somebody
 * else answers, 'config-syntax', 'too-old', what the destination refuses with.
 */
export async function askDestination(
  host: { identity: Identity },
  destination: { landing: HostCard['landing']; identity: string },
  content: QuestionContent,
): Promise<QuestionAnswer> {
  return onLine(destination.landing, async (line) => {
    const nonce = randomBytes(32);
    const shown = await line.ask(openingKind.ask, nonce, openingKind.askKey);
    const recipient = recipientOf(shown, destination.identity, nonce);
    const { sealed, answerKey } = await sealQuestion(content, recipient);
    const body: Question = {
      v: protocolVersion,
      kind: 'question',
      from: host.identity.name,
      to: destination.identity,
      recipient,
      sealed,
    };
    const question = canonicalBytes({ body, signature: host.identity.sign(body) });
    if (question.length > maximumQuestionBytes) {
      throw new SealiftError('config-syntax', `the configuration of ${content.vmName} is too long to be asked about`);
    }
    return openAnswer(await line.ask(openingKind.question, question, openingKind.answer, answerMs), answerKey);
  });
}

/** Destination: answers a question of a trusted peer. The key is drawn for the connection and never kept. */
export function exchange(host: Pick<Host, 'identity' | 'file' | 'dom0' | 'toolstack'>): Exchange {
  let drawn: { secret: string; recipient: string } | null = null;
  return {
    key: async (nonce) => {
      drawn = await newRunKey();
      const body: QuestionKey = {
        v: protocolVersion,
        kind: 'question-key',
        from: host.identity.name,
        nonce: nonce.toString('base64url'),
        recipient: drawn.recipient,
      };
      return canonicalBytes({ body, signature: host.identity.sign(body) });
    },
    answer: async (bytes) => {
      const key = drawn;
      drawn = null;
      if (key === null) throw new SealiftError('bad-frame', 'a question comes after its key');
      const { content, answerKey } = await openQuestion(questionFor(host, bytes, key.recipient).sealed, key.secret);
      return sealAnswer(await answerTo(host, content), answerKey);
    },
  };
}

function recipientOf(shown: Buffer, identity: string, nonce: Buffer): string {
  const parsed = signedQuestionKey.safeParse(parseCanonical(shown));
  if (!parsed.success) throw new SealiftError('bad-statement', 'the key for a question is malformed');
  const { body, signature } = parsed.data;
  if (body.from !== identity || !verifySignature(identity, body, signature)) {
    throw new SealiftError('bad-statement', `the key for a question is not signed by ${identity}`);
  }
  if (body.nonce !== nonce.toString('base64url')) {
    throw new SealiftError('bad-statement', 'the key for a question belongs to another connection');
  }
  return body.recipient;
}

/** The question, when a trusted peer signed it for this host and this connection's key. */
function questionFor(host: { identity: Identity; file: HostFile }, bytes: Buffer, recipient: string): Question {
  const parsed = signedQuestion.safeParse(parseCanonical(bytes));
  if (!parsed.success) throw new SealiftError('bad-statement', 'a question is malformed');
  const { body, signature } = parsed.data;
  if (!host.file.peer.some((peer) => peer.identity === body.from)) {
    throw new SealiftError('unknown-peer', `${host.file.name} does not trust ${body.from}`);
  }
  if (body.to !== host.identity.name || body.recipient !== recipient) {
    throw new SealiftError('bad-statement', 'a question is for another host or connection');
  }
  if (!verifySignature(body.from, body, signature)) {
    throw new SealiftError('bad-statement', `a question is not signed by ${body.from}`);
  }
  return body;
}

/** Disks have no place here yet; under their own names they change nothing that is told. */
async function answerTo(
  host: Pick<Host, 'file' | 'dom0' | 'toolstack'>,
  { disks, ...vm }: QuestionContent,
): Promise<QuestionAnswer> {
  try {
    const placed = disks.map((vdev) => ({ vdev, path: `/${vdev}` }));
    const { config, changes, concerns } = await translateForeign(host.file, { ...vm, disks: placed });
    const here = await hereConcerns(host, { vmUuid: vm.vmUuid, config });
    return { changes: changes.filter((line) => !line.startsWith('disk ')), concerns: [...concerns, ...here] };
  } catch (error) {
    if (!isSealiftError(error) || error.type !== 'config-syntax') throw error;
    return {
      changes: [],
      concerns: [refusal('config-syntax', error.message)],
    };
  }
}
