import { describe, expect, test } from '@jest/globals';
import type { MigrateRequest, Sealift } from '../../client/index.ts';
import type { Plan } from '../../client/index.ts';
import { SealiftError } from '../../domain/error.ts';
import { lookExample, moveExample, receiptExample, transferExample } from './examples.ts';
import { runCli } from './fake-io.ts';

const survey = { phase: 'survey', at: '2026-11-22T14:02:00Z', ms: 300, note: '' };
const moving = [
  lookExample({ phase: 'survey' }),
  lookExample({ phase: 'move', done: [survey] }, { transfer: transferExample(), verifiedBytes: 1, totalBytes: 2 }),
];
const closed = lookExample({ phase: 'done', done: [survey] }, { closed: true });
const stuck = lookExample({
  phase: 'waits',
  waits: ['web-1 has not shut down', 'sealift abort web-1 leaves it running'],
  waitsForPerson: true,
});

function client(looks = [...moving, closed], end: Parameters<typeof moveExample>[1] = receiptExample()) {
  const steered: string[] = [];
  const requests: MigrateRequest[] = [];
  const move = moveExample(looks, end, steered);
  const sealift: Partial<Sealift> = {
    handle: () => Promise.resolve(move),
    migrate: (request) => {
      requests.push(request);
      return Promise.resolve(move);
    },
  };
  return { sealift, steered, requests };
}

function events(stdout: string): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('sealift migrate', () => {
  test('tells the move as lines and ends with the receipt and exit code 0', async () => {
    const { sealift } = client();
    const { code, stdout, stderr } = await runCli(['migrate', 'web-1', '--to', 'fra-1'], sealift);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/web-1 {2}survey done in 0\.3 s\n/);
    expect(stdout).toMatch(/\n\nweb-1 runs on fra-1 since .* \(down 12\.4 s\)\n/);
    expect(stdout).toContain('sealift revert web-1 brings it back');
  });

  test('every option reaches the client with its unit', async () => {
    const { sealift, requests } = client();
    const text =
      'migrate web-1 --to fra-1 --from lon-1 --method staged --pool fast --on-stuck-guest abort --grace 5m --cutover approve ' +
      '--limit 400Mbit --streams 4 --probe-vifs --probe-console login: --probe-ping 192.0.2.7 --probe-tcp 192.0.2.7:22 --probe-command http --probe-limit 30s ' +
      '--no-probe-writes --supersede 1b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b --id 2b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b --yes';
    expect((await runCli(text.split(' '), sealift)).code).toBe(0);
    expect(requests).toEqual([
      {
        vm: 'web-1',
        to: 'fra-1',
        from: 'lon-1',
        method: 'staged',
        pool: 'fast',
        onStuckGuest: 'abort',
        graceMs: 300_000,
        cutover: 'approve',
        limitBytesPerSecond: 50_000_000,
        streams: 4,
        probe: {
          diskWrites: false,
          vifs: true,
          console: 'login:',
          ping: '192.0.2.7',
          tcp: { address: '192.0.2.7', port: 22 },
          command: 'http',
          limitMs: 30_000,
        },
        supersede: '1b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b',
        migrationId: '2b2c3d4e-5f60-4718-8a9b-0c1d2e3f4a5b',
      },
    ]);
  });

  test('with --json every line of standard output is one event', async () => {
    const { sealift } = client();
    const { code, stdout } = await runCli(['migrate', 'web-1', '--to', 'fra-1', '--json'], sealift);
    expect(code).toBe(0);
    const seen = events(stdout);
    expect(seen.map((one) => one.event)).toEqual(['started', 'progress', 'progress', 'progress', 'done']);
    expect(seen.at(-1)).toMatchObject({ result: { body: { token: 2 } } });
  });

  test('a VM that does not pass its probe is told of, and is exit code 4, also for a watcher', async () => {
    const probe = [
      { check: 'domain', passed: true, detail: 'running' },
      { check: 'tcp', passed: false, detail: 'connection refused' },
    ];
    const { sealift } = client([closed], receiptExample({ probe }));
    for (const line of ['migrate web-1 --to fra-1', 'watch web-1']) {
      const said = await runCli(line.split(' '), sealift);
      expect(said.code).toBe(4);
      expect(said.stdout).toMatch(/\nweb-1 runs on fra-1 [^]*\n {2}probe {6}tcp FAILED: connection refused\n/);
      expect(said.stderr).toBe(
        'sealift: web-1 was started on fra-1 but tcp: connection refused  [probe-failed]\n' +
          'hint: look at it on fra-1; sealift revert web-1 brings it back\n',
      );
      const json = await runCli([...line.split(' '), '--json'], sealift);
      expect(json.code).toBe(4);
      expect(events(json.stdout).slice(-2)).toMatchObject([{ event: 'done' }, { error: { type: 'probe-failed' } }]);
    }
  });

  test('a refusal is exit code 3, with its type and hint', async () => {
    const { sealift } = client([closed], new SealiftError('no-space', 'fra-1 has 210 MiB free in pool fast'));
    const said = await runCli(['migrate', 'web-1', '--to', 'fra-1'], sealift);
    expect(said.code).toBe(3);
    expect(said.stderr).toBe(
      'sealift: fra-1 has 210 MiB free in pool fast  [no-space]\nhint: free space or choose another pool (--pool)\n',
    );
    const json = await runCli(['migrate', 'web-1', '--to', 'fra-1', '--json'], sealift);
    expect(events(json.stdout).at(-1)).toMatchObject({ error: { type: 'no-space' } });
  });

  test('waiting for a person ends an unattended command with exit code 4 and the way to rejoin', async () => {
    const { sealift } = client([...moving, stuck]);
    const { code, stdout, stderr } = await runCli(['migrate', 'web-1', '--to', 'fra-1'], sealift);
    expect(code).toBe(4);
    expect(stdout).toContain('waits: sealift abort web-1 leaves it running');
    expect(stderr).toBe('web-1 waits for a person; rejoin it by: sealift watch web-1\n');
  });

  test('Ctrl-C leaves the move going, says how to rejoin, and is exit code 130', async () => {
    const { sealift, steered } = client(moving);
    const options = { onListen: (interrupt: () => void) => setImmediate(interrupt) };
    const { code, stderr } = await runCli(['watch', 'web-1'], sealift, options);
    expect(code).toBe(130);
    expect(stderr).toBe('the move of web-1 goes on; rejoin it by: sealift watch web-1\n');
    expect(steered).toEqual([]);
    const reverting = client([lookExample({ kind: 'revert', phase: 'stop' })]);
    const back = await runCli(['watch', 'web-1'], reverting.sealift, options);
    expect(back.stderr).toBe('the revert of web-1 goes on; rejoin it by: sealift watch web-1\n');
  });

  test('on a terminal keys steer the move, and the last picture stays', async () => {
    const { sealift, steered } = client(moving);
    const { code, stdout } = await runCli(['watch', 'web-1'], sealift, { terminal: true, typed: 'pay\x03' });
    expect(code).toBe(130);
    expect(stdout).toContain('⠋ move');
    expect(stdout).toContain('Ctrl-C leaves it running');
    expect(steered).toEqual(expect.arrayContaining(['abort', 'pause']));
  });

  test('--detach comes back at once', async () => {
    const { sealift } = client(moving);
    const { code, stdout } = await runCli(['migrate', 'web-1', '--to', 'fra-1', '--detach', '--json'], sealift);
    expect(code).toBe(0);
    expect(events(stdout)).toEqual([expect.objectContaining({ event: 'started', from: 'lon-1', to: 'fra-1' })]);
  });

  test('on a terminal a plan with a warning is shown and asked about first; no means nothing was started', async () => {
    const { sealift, requests } = client();
    const concern = { name: 'memory-short', severity: 'warns', text: 'little memory', remedy: null } as const;
    const plan = planExample({ concerns: [concern] });
    const asked = { ...sealift, plan: () => Promise.resolve(plan) };
    const no = await runCli(['migrate', 'web-1', '--to', 'fra-1'], asked, { terminal: true, typed: 'n\n' });
    expect(no.code).toBe(3);
    expect(no.stdout).toContain('warning  little memory  [memory-short]');
    expect(requests).toEqual([]);
  });
});

describe('sealift plan', () => {
  test('a refused plan is exit code 3 and changes nothing', async () => {
    const concern = { name: 'no-space', severity: 'refuses', text: 'too small', remedy: 'another pool' } as const;
    const sealift = { plan: () => Promise.resolve(planExample({ refused: true, concerns: [concern] })) };
    const { code, stdout } = await runCli(['plan', 'web-1', '--to', 'fra-1'], sealift);
    expect(code).toBe(3);
    expect(stdout).toBe(
      [
        'web-1   lon-1 → fra-1   sealed · running · round trip 41.0 ms',
        '',
        '  xvda     512 MiB  → pool fast',
        '  in all   512 MiB',
        '',
        '  REFUSED  too small  [no-space]',
        '           → another pool',
        '',
        'what the names in brackets mean, and what to do: docs/concerns.md',
        '',
        'web-1 would not be moved; nothing was changed',
        '',
      ].join('\n'),
    );
  });
});

function planExample(change: Partial<Plan>): Plan {
  return {
    vmUuid: '3f1f8a52-8d4e-4a2b-9a53-0b7f6f0f7a01',
    vmName: 'web-1',
    from: 'lon-1',
    to: 'fra-1',
    method: 'sealed',
    state: 'running',
    disks: [{ vdev: 'xvda', sizeBytes: 512 * 1024 * 1024, sectorBytes: 512 }],
    placement: [{ vdev: 'xvda', pool: 'fast' }],
    totalBytes: 512 * 1024 * 1024,
    keepMemory: false,
    rttMs: 41,
    concerns: [],
    refused: false,
    ...change,
  };
}
