import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chunkBytes } from '../../domain/chunks.ts';
import { Board } from '../../transport/sender-board.ts';
import { mostUnacknowledgedBytes } from '../../transport/tuning.ts';

const chunks = 20;
const never = (): boolean => false;

function newBoard(): Board {
  const board = new Board(Board.memory([chunks * chunkBytes]));
  board.setPlanned();
  return board;
}

/** Whether all that may be on the way may depart now. */
async function isEmpty(board: Board, chunk: number): Promise<boolean> {
  let asked = 0;
  return board.depart(chunk, mostUnacknowledgedBytes, () => (asked += 1) > 1);
}

describe('bytes on the way', () => {
  test('wait for an acknowledgement when there are too many', async () => {
    const board = newBoard();
    const [one = -1, two = -1] = [board.claim(), board.claim()].map(Number);
    await board.depart(one, mostUnacknowledgedBytes, never);
    let gone = false;
    const waiting = board.depart(two, 1, never).then(() => (gone = true));
    board.wake();
    await new Promise(setImmediate);
    expect(gone).toBe(false);
    board.finish(one);
    await waiting;
  });

  test('are all forgotten when their chunks have arrived or were lost, whoever says so and when', async () => {
    const step = fc.record({
      what: fc.constantFrom('depart', 'finish', 'requeue'),
      of: fc.nat({ max: chunks - 2 }),
      bytes: fc.integer({ min: 1, max: chunkBytes / 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const board = newBoard();
        for (let chunk = 0; chunk < chunks; chunk += 1) board.claim();
        for (const { what, of, bytes } of steps) {
          if (what === 'depart') await board.depart(of, bytes, never);
          else board[what](of);
        }
        for (let chunk = 0; chunk < chunks - 1; chunk += 1) board.finish(chunk);
        for (let chunk = 0; chunk < chunks - 1; chunk += 1) board.requeue(chunk);
        expect(await isEmpty(board, chunks - 1)).toBe(true);
      }),
    );
  });
});
