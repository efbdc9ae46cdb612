import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseSessions } from '../../storage/iscsi.ts';

test('reads the sessions that open-iscsi 2.1.8 tells, each with its iface, initiator and disks', () => {
  const told = readFileSync(join(import.meta.dirname, '../fixtures/iscsiadm-sessions.txt'), 'utf8');
  const target = { name: 'iqn.2026-01.example.lab:disk-1', portal: '192.0.2.254:3270' };
  const initiator = 'iqn.2026-01.example.lab:xen-1';
  expect(parseSessions(told)).toEqual([
    { ...target, id: 1, iface: 'default', initiator, disks: ['sda'], whole: true },
    { ...target, id: 2, iface: 'sealift-fence', initiator: `${initiator}:sealift-fence`, disks: ['sdb'], whole: true },
  ]);
  expect(parseSessions('')).toEqual([]);
  const [first, second] = parseSessions(
    told.replace('State: running', 'State: blocked').replace(/LOGGED_IN$/m, 'FAILED'),
  );
  expect([first?.whole, second?.whole]).toEqual([false, true]);
});
