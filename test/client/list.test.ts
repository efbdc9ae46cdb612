import { expect, test } from '@jest/globals';
import { listMoves } from '../../client/list.ts';
import type { Link } from '../../client/link.ts';

test('a list reads no more of visibility than it was asked for', async () => {
  let read = 0;
  async function* workflows(): AsyncGenerator {
    for (; read < 1000;) {
      read += 1;
      yield await Promise.resolve({
        workflowId: `migrate/${String(read)}`,
        type: 'migrateVm',
        status: { name: 'COMPLETED' },
        // As the server gives them: what ended last comes first, whenever it began.
        startTime: new Date(Date.UTC(2026, 10, 30, 0, read % 2 === 0 ? 30 : 0, 60 - read)),
        typedSearchAttributes: { get: () => undefined },
      });
    }
  }
  const link = { address: 'a:1', client: { workflow: { list: workflows } } } as unknown as Link;
  const found = await listMoves(link, { limit: 3 });
  expect(found.map(({ vmUuid }) => vmUuid)).toEqual(['2', '1', '3']);
  expect(read).toBe(3);
});
