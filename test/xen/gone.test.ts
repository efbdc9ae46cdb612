import { describe, expect, test } from '@jest/globals';
import type { Toolstack } from '../../xen/toolstack.ts';
import { awaitGone, domainGone, domainsOf } from '../../xen/gone.ts';
import { parseList } from '../../xen/xl-output.ts';
import { listOf } from './recorded.ts';

const uuid = '11111111-2222-3333-4444-555555550001';
const looks = {
  up: listOf(['pv1', 5, '-b----', uuid]),
  renamed: listOf(['pv8', 5, '-b----', uuid]),
  down: listOf(['pv1', 5, '---s--', uuid]),
  dying: listOf(['pv1', 5, '--ps--', uuid]),
  rebooting: listOf(['pv1', 5, '--psr-', uuid]),
  again: listOf(['pv1', 6, 'r-----', uuid]),
  none: listOf(),
};
type Look = keyof typeof looks;
const before = parseList(looks.up);

/** A toolstack that sees one thing after the other, the last one for ever. */
function seeing(...list: Look[]): Toolstack {
  let at = 0;
  const seen = { list: () => Promise.resolve(parseList(looks[list[Math.min(at++, list.length - 1)] ?? 'none'])) };
  return seen as unknown as Toolstack;
}

test('the same uuid under another name is the VM', async () => {
  expect(await domainGone(seeing('renamed'), uuid)).toBe(false);
  expect(await domainsOf(seeing('renamed'), { uuid: 'x', name: 'pv8' })).toHaveLength(1);
  expect(await domainGone(seeing('none'), uuid)).toBe(true);
});

describe('awaitGone', () => {
  test.each<[string, Look[]]>([
    ['gone', ['up', 'down', 'dying', 'none']],
    ['gone', ['none']],
    // A reboot leaves a moment in which nothing is there.
    ['rebooted', ['up', 'none', 'again']],
    ['rebooted', ['rebooting', 'none', 'again']],
    // It may be over before the first look.
    ['rebooted', ['again']],
    ['kept', ['up', 'down']],
    ['stuck', ['up']],
    ['stuck', ['dying']],
  ])('says %s after %j', async (outcome, list) => {
    const limits = { limitMs: 60, pollMs: 1, confirmMs: 20, keptMs: 20 };
    expect(await awaitGone(seeing(...list), { uuid, before }, limits)).toBe(outcome);
  });

  test('believes the first absence of a domain that was seen powered off, and of no other', async () => {
    const limits = { limitMs: 60, pollMs: 1, confirmMs: 30 };
    expect(await awaitGone(seeing('dying', 'none', 'again'), { uuid, before }, limits)).toBe('gone');
    expect(await awaitGone(seeing('up', 'none', 'again'), { uuid, before }, limits)).toBe('rebooted');
  });

  test('waits longer for one that was seen to reboot', async () => {
    const looks: Look[] = ['rebooting', ...Array<Look>(12).fill('none'), 'again'];
    const limits = { limitMs: 60, pollMs: 1, confirmMs: 0 };
    expect(await awaitGone(seeing(...looks), { uuid, before }, limits)).toBe('rebooted');
    expect(await awaitGone(seeing('rebooting', 'none'), { uuid, before }, { ...limits, rebootMs: 20 })).toBe('gone');
  });

  test('ends by its signal', async () => {
    const waiting = awaitGone(seeing('up'), { uuid, before }, { limitMs: 60_000, signal: AbortSignal.timeout(20) });
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});
