import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, expect, test } from '@jest/globals';
import { checkLink } from '../../infra/lab/wan/check.ts';
import { bringUpWanLab } from '../../infra/lab/wan/lab.ts';
import type { WanLab } from '../../infra/lab/wan/lab.ts';
import type { Link } from '../../infra/lab/wan/link.ts';
import { missingNeeds } from '../../infra/lab/wan/needs.ts';
import { describeWhere } from '../support/describe-where.ts';

describeWhere(missingNeeds(), 'an emulated line', () => {
  const labs: WanLab[] = [];
  afterEach(async () => {
    for (const lab of labs.splice(0)) await lab.down();
  });
  async function up(link?: Link): Promise<WanLab> {
    const lab = await bringUpWanLab(link);
    labs.push(lab);
    return lab;
  }

  /** The lines of a ping that was answered, of so many. */
  async function answered({ sites: [from, to] }: WanLab, count = 5): Promise<string[]> {
    const words = ['-n', '-c', String(count), '-i', '0.02', '-W', '1', to.address];
    const { stdout } = await execa(...from.within('ping', ...words), { reject: false });
    return stdout.split('\n').filter((line) => line.includes('time='));
  }

  const links: Link[] = [
    { rateMbps: 100 },
    { roundTripMs: 100, rateMbps: 1000 },
    { roundTripMs: 200, rateMbps: 1000 },
    { roundTripMs: 40, rateMbps: 100, lossPercent: 1 },
  ];
  test.each(links.map((link) => [JSON.stringify(link), link] as const))('is as asked: %s', async (_name, link) => {
    await checkLink(await up(link), link);
  });

  test('is made anew while it is there, is cut, and comes back', async () => {
    const lab = await up({ roundTripMs: 60 });
    await checkLink(lab, { roundTripMs: 60 }, 0.2);
    await lab.setLink({ outage: true });
    expect(await answered(lab)).toEqual([]);
    await lab.setLink({ roundTripMs: 20, rateMbps: 50 });
    await checkLink(lab, { roundTripMs: 20, rateMbps: 50 }, 1);
  });

  test('lets packets be overtaken where that is asked, and by jitter none', async () => {
    const lab = await up({ roundTripMs: 20, jitterMs: 20 });
    const numbers = async (): Promise<number[]> =>
      (await answered(lab, 100)).map((line) => Number(/icmp_seq=(\d+)/.exec(line)?.[1]));
    expect(inOrder(await numbers())).toBe(true);
    // One is held for longer than the next ones are apart.
    await lab.setLink({ roundTripMs: 20, reorderPercent: 20, jitterMs: 60 });
    expect(inOrder(await numbers())).toBe(false);
  });

  test('is one of its own for each who asks', async () => {
    const [one, two] = [await up(), await up({ outage: true })];
    expect(await answered(one)).toHaveLength(5);
    expect(await answered(two)).toEqual([]);
  });

  test('is gone when who brought it up was killed, with the programs at its sites', async () => {
    const script = join(import.meta.dirname, 'fixtures/up.ts');
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { emulator, sleeper, cables } = JSON.parse(line) as { emulator: number; sleeper: number; cables: string[] };
    const all = [emulator, sleeper]
      .map((pid) => `/proc/${String(pid)}`)
      .concat(cables.map((name) => `/sys/class/net/${name}`));
    expect(all.map((path) => existsSync(path))).toEqual([true, true, true, true]);
    child.kill('SIGKILL');
    while (all.some((path) => existsSync(path))) await sleep(20);
  });

  test('is no line any more when its emulator was killed, and says so', async () => {
    const lab = await up();
    process.kill(lab.emulatorPid, 'SIGKILL');
    await expect(lab.setLink({ roundTripMs: 10 })).rejects.toThrow('the emulator of a line has ended');
  });
});

function inOrder(numbers: number[]): boolean {
  return numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? 0));
}
