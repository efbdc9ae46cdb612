import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { TransferJobs } from '../../activities/jobs.ts';
import type { Transfer } from '../../activities/jobs.ts';
import type { TransferSummary } from '../../activities/port.ts';

const orphanMs = 50;

interface Fake extends Transfer {
  stopped: boolean;
  end: () => void;
}

function fake(): Fake {
  const { promise, resolve } = Promise.withResolvers<{ summary: TransferSummary }>();
  const nothing = (): void => undefined;
  const transfer: Fake = {
    stopped: false,
    end: () => {
      resolve({ summary: { plainBytes: 0, wireBytes: 0, retries: 0, streams: 1 } });
    },
    done: promise,
    progress: () => {
      throw new Error('nobody asks');
    },
    pause: nothing,
    resume: nothing,
    setLimit: nothing,
    stop: () => {
      transfer.stopped = true;
      return Promise.resolve();
    },
  };
  return transfer;
}

const lost = (): Promise<never> => Promise.reject(new Error('the attempt was lost'));

test('a transfer that nobody attends to stops after a while', async () => {
  const jobs = new TransferJobs(orphanMs);
  const transfer = fake();
  await expect(jobs.attend('a', () => Promise.resolve(transfer), lost)).rejects.toThrow('the attempt was lost');
  expect(await jobs.find('a')).toBe(transfer);
  while (!transfer.stopped) await delay(5);
  expect(await jobs.find('a')).toBeNull();
});

test('one that ended unattended does not take the next one of its migration with it', async () => {
  const jobs = new TransferJobs(orphanMs);
  const [first, second] = [fake(), fake()];
  await expect(jobs.attend('a', () => Promise.resolve(first), lost)).rejects.toThrow('the attempt was lost');
  first.end();
  while ((await jobs.find('a')) !== null) await delay(1);
  await jobs.attend(
    'a',
    () => Promise.resolve(second),
    async () => {
      await delay(3 * orphanMs);
      expect(await jobs.find('a')).toBe(second);
    },
  );
  expect(second.stopped).toBe(false);
  await jobs.stopAll();
});
