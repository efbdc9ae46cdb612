import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeMessage, encodeMessage } from '../../../transport/ipsec/vici-message.ts';
import type { ViciMessage } from '../../../transport/ipsec/vici-message.ts';
import { typeThrown } from '../../seal/support.ts';

const name = fc.string({ minLength: 1, maxLength: 60 });
const { message } = fc.letrec<{ message: ViciMessage }>((tie) => ({
  message: fc.dictionary(
    name,
    fc.oneof({ depthSize: 'small', maxDepth: 4 }, fc.string(), fc.array(fc.string(), { maxLength: 5 }), tie('message')),
    { maxKeys: 5, noNullPrototype: false },
  ),
}));

describe("a message of strongSwan's", () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
      }),
    );
  });

  // The example of its README.md, "Message encoding".
  test('is what strongSwan writes', () => {
    const example = {
      key1: 'value1',
      section1: { 'sub-section': { key2: 'value2' }, list1: ['item1', 'item2'] },
    };
    const named = (kind: number, text: string): Buffer =>
      Buffer.concat([Buffer.from([kind, text.length]), Buffer.from(text)]);
    const value = (text: string): Buffer => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);
    const [sectionEnd, item, listEnd] = [Buffer.from([2]), Buffer.from([5]), Buffer.from([6])];
    const byHand = [
      ...[named(3, 'key1'), value('value1'), named(1, 'section1')],
      ...[named(1, 'sub-section'), named(3, 'key2'), value('value2'), sectionEnd],
      ...[named(4, 'list1'), item, value('item1'), item, value('item2'), listEnd, sectionEnd],
    ];
    expect(encodeMessage(example).equals(Buffer.concat(byHand))).toBe(true);
  });

  test('is refused when it is cut short, or anything else', () => {
    fc.assert(
      fc.property(message, fc.nat(), (sent, at) => {
        const bytes = encodeMessage(sent);
        if (bytes.length === 0) return;
        const cut = bytes.subarray(0, at % bytes.length);
        // What is left may be whole by itself; it is never taken for what was sent.
        const taken = typeThrown(() => {
          expect(decodeMessage(cut)).not.toEqual(sent);
        });
        expect(taken).toMatch(/^(bad-frame|nothing)$/);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(typeThrown(() => decodeMessage(Buffer.from(bytes)))).toMatch(/^(bad-frame|nothing)$/);
      }),
    );
  });
});
