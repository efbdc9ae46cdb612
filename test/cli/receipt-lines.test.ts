import { expect, test } from '@jest/globals';
import { movedLines, receiptLines } from '../../cli/print/receipt.ts';
import { receiptExample } from './examples.ts';

test('the end of a move tells what is now, a receipt that is looked at later tells what was', () => {
  expect(movedLines(receiptExample())[0]).toMatch(/^web-1 runs on fra-1 since \d\d:\d\d:\d\d \(down 12\.4 s\)$/);
  const [first, ...rest] = receiptLines(receiptExample());
  expect(first).toMatch(/^web-1 was started on fra-1 at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(down 12\.4 s\)$/);
  expect(rest.join('\n')).toMatch(/ {2}start {6}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}/);
});
