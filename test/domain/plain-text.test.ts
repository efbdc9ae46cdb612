import { expect, test } from '@jest/globals';
import { hidePaths } from '../../domain/plain-text.ts';

test.each([
  ['disk /srv/pool/web-1.raw is not there (ENOENT)', 'disk …/web-1.raw is not there (ENOENT)'],
  ["'/etc/xen/web-1.cfg': line 3", "'…/web-1.cfg': line 3"],
  ['/a/b, by /dev/loop3, is held', '…/b, by …/loop3, is held'],
  ['migrate/4f0c and host/lon-1 and/or 10.0.0.1/24 at ssh://fra-1/x', null],
  ['1/2 MiB', null],
])('%s', (text, said) => {
  expect(hidePaths(text)).toBe(said ?? text);
  expect(hidePaths(hidePaths(text))).toBe(said ?? text);
});
