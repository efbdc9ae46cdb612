import { describe, expect, test } from '@jest/globals';
import type { ConnectOptions, GarbageItem, ScheduleRequest, Sealift } from '../../client/index.ts';
import { lookExample, moveExample, receiptExample } from './examples.ts';
import { runCli } from './fake-io.ts';

const look = lookExample({ phase: 'move' });

describe('steering', () => {
  test.each([
    ['pause web-1', 'pause'],
    ['resume web-1', 'resume'],
    ['throttle web-1 50M', 'throttle 50000000'],
    ['throttle web-1 none', 'throttle null'],
    ['approve web-1 --by ops@example.org', 'approve ops@example.org'],
    ['wait web-1 90s', 'wait 2'],
    ['destroy web-1 --confirm web-1', 'destroy web-1 by somebody'],
    ['abort web-1', 'abort'],
  ])('sealift %s', async (line, expected) => {
    const steered: string[] = [];
    const sealift = { handle: () => Promise.resolve(moveExample([look], receiptExample(), steered)) };
    const text = await runCli(line.split(' '), sealift);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^web-1 .+\n$/);
    const { stdout } = await runCli([...line.split(' '), '--json'], sealift);
    expect(JSON.parse(stdout)).toMatchObject({ vm: 'web-1' });
    expect(steered).toEqual([expected, expected]);
  });

  test('destroy wants the name of the VM typed', async () => {
    const steered: string[] = [];
    const sealift = { handle: () => Promise.resolve(moveExample([look], receiptExample(), steered)) };
    expect(await runCli(['destroy', 'web-1'], sealift)).toMatchObject({ code: 2 });
    expect(steered).toEqual([]);
    const { code } = await runCli(['destroy', 'web-1'], sealift, { terminal: true, typed: 'web-1\n' });
    expect({ code, steered }).toEqual({ code: 0, steered: ['destroy web-1 by somebody'] });
  });

  test('settings of the connection come before or after the command', async () => {
    const connected: ConnectOptions[] = [];
    const sealift = { list: () => Promise.resolve([]) };
    await runCli(['--address', 'a:1', 'list', '--namespace', 'n'], sealift, { connected });
    expect(connected).toEqual([{ address: 'a:1', namespace: 'n' }]);
  });
});

describe('sealift revert', () => {
  test('says which writes stay behind, and hands the typed name on', async () => {
    const confirmed: string[] = [];
    const result = { vmUuid: 'u', vmName: 'web-1', host: 'lon-1', started: true, leftBehind: null };
    const sealift: Partial<Sealift> = {
      planRevert: () =>
        Promise.resolve({
          vmUuid: 'u',
          vmName: 'web-1',
          from: 'fra-1',
          to: 'lon-1',
          writesSince: '2026-11-22T14:02:00Z',
        }),
      revert: ({ confirm }) => {
        confirmed.push(confirm);
        const looks = [lookExample({ phase: 'done', kind: 'revert' }, { closed: true })];
        return Promise.resolve({ ...moveExample(looks, receiptExample()), result: () => Promise.resolve(result) });
      },
    };
    const { code, stdout, stderr } = await runCli(['revert', 'web-1', '--confirm', 'web-1'], sealift);
    expect(stderr).toMatch(/what it wrote since 2026-11-22 .* stays behind, on the disks at fra-1/);
    expect(stdout).toMatch(/web-1 runs on lon-1 again\n$/);
    expect({ code, confirmed }).toEqual({ code: 0, confirmed: ['web-1'] });
  });
});

describe('sealift gc', () => {
  const item: GarbageItem = {
    id: 'a1',
    kind: 'released-copy',
    vmName: 'web-1',
    bytes: 1024,
    note: 'finished',
    source: null,
  };
  const host = { name: 'lon-1', card: null, away: false, registeredAt: null };
  function client() {
    const removed: string[] = [];
    const sealift: Partial<Sealift> = {
      hosts: () => Promise.resolve([host, { ...host, name: 'fra-1', away: true }]),
      garbage: () => Promise.resolve([item]),
      removeGarbage: ({ ids }) => {
        removed.push(...ids);
        return Promise.resolve({ removed: [item], refused: [] });
      },
    };
    return { sealift, removed };
  }

  test('lists, and names the hosts that could not be asked', async () => {
    const { code, stdout, stderr } = await runCli(['gc'], client().sealift);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^HOST {3}ID .*\nlon-1 {2}a1 {2}released-copy {2}web-1 {2}1 KiB {2}finished\n$/);
    expect(stderr).toBe('fra-1 is away: what it keeps is unknown\n');
  });

  test('removes nothing without a yes', async () => {
    const { sealift, removed } = client();
    expect((await runCli(['gc', '--all'], sealift)).code).toBe(2);
    expect((await runCli(['gc', '--all'], sealift, { terminal: true, typed: 'n\n' })).code).toBe(0);
    expect((await runCli(['gc', '--remove', 'zz', '--yes'], sealift)).code).toBe(2);
    expect(removed).toEqual([]);
    expect((await runCli(['gc', '--remove', 'a1', '--yes'], sealift)).code).toBe(0);
    expect(removed).toEqual(['a1']);
  });
});

test('sealift gc --remove takes an id from every host that lists it, and names the hosts that could not be asked', async () => {
  const id = '1b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b/container';
  const item: GarbageItem = { id, kind: 'container', vmName: 'web-1', bytes: 1024, note: '', source: null };
  const hosts = ['lon-1', 'fra-1', 'nyc-1'].map((name) => ({
    name,
    card: null,
    away: name === 'nyc-1',
    registeredAt: null,
  }));
  const asked: string[] = [];
  const sealift: Partial<Sealift> = {
    hosts: () => Promise.resolve(hosts),
    garbage: () => Promise.resolve([item]),
    removeGarbage: ({ host, ids }) => {
      asked.push(`${host} ${ids.join(' ')}`);
      return Promise.resolve({ removed: [item], refused: [] });
    },
  };
  const { stdout, stderr } = await runCli(['gc', '--remove', id, '--yes'], sealift);
  expect(asked).toEqual([`lon-1 ${id}`, `fra-1 ${id}`]);
  expect(stdout).toBe('removed 2 things\n');
  expect(stderr).toMatch(/\nnyc-1 is away: what it keeps is unknown\n$/);
  const all = await runCli(['gc', '--all', '--yes', '--json'], sealift);
  expect(JSON.parse(all.stdout)).toMatchObject({ away: ['nyc-1'] });
});

describe('sealift schedule create', () => {
  test('makes a request of its options, and wants exactly one what and one when', async () => {
    const requests: ScheduleRequest[] = [];
    const schedules = {
      create: (request: ScheduleRequest) => {
        requests.push(request);
        return Promise.resolve(['fra-1 is unknown']);
      },
    };
    const sealift = { schedules } as unknown as Partial<Sealift>;
    const base = ['schedule', 'create', 'drill', '--from', 'lon-1', '--to', 'fra-1'];
    const weekly = ['--cron', '0 2 * * 6', '--timezone', 'Europe/London', '--jitter', '5m', '--limit', '50M'];
    const said = await runCli([...base, '--evacuate', ...weekly], sealift);
    expect(said).toMatchObject({ code: 0, stderr: 'warning: fra-1 is unknown\n' });
    expect(requests).toEqual([
      {
        id: 'drill',
        what: 'evacuation',
        from: 'lon-1',
        to: 'fra-1',
        when: { cron: '0 2 * * 6', timezone: 'Europe/London' },
        jitterMs: 300_000,
        options: { limitBytesPerSecond: 50_000_000, probe: { diskWrites: true } },
      },
    ]);
    expect((await runCli([...base, '--vm', 'web-1', '--evacuate', ...weekly], sealift)).code).toBe(2);
    expect((await runCli([...base, '--vm', 'web-1'], sealift)).code).toBe(2);
    expect(requests).toHaveLength(1);
  });
});
