import { describe, expect, test } from '@jest/globals';
import type { Method } from '../../domain/names.ts';
import { protocolVersion } from '../../domain/protocol.ts';
import { warning } from '../../domain/concern.ts';
import type { Concern, DestinationSurvey, HostCard, SourceSurvey } from '../../domain/survey.ts';
import { joinPlan } from '../../workflows/plan.ts';

const card = (name: string, peer: string, change: Partial<HostCard> = {}): HostCard => ({
  name,
  site: name,
  identity: `ed25519:${name.replace('-', '').padEnd(43, 'A')}`,
  version: '1.0.0',
  protocolVersion,
  xenVersion: '4.17',
  landing: { address: '192.0.2.1', port: 7443 },
  pools: [],
  staging: null,
  peers: [peer],
  freeMemoryBytes: 2 ** 30,
  ...change,
});

/** What a plan says of a VM whose destination is otherwise as it should be. */
function concerns(
  change: Partial<HostCard>,
  { method = 'sealed', told = [], answered }: { method?: Method; told?: Concern[]; answered?: true } = {},
): string[] {
  const source: SourceSurvey = {
    host: card('lon-1', 'fra-1'),
    vmUuid: '6f1f7d1c-6d0b-4c3e-9b62-0d3f1c1f2a10',
    vmName: 'web-1',
    state: 'running',
    memoryBytes: 2 ** 31,
    disks: [],
    deed: null,
    concerns: told,
  };
  const to = card('fra-1', 'lon-1', change);
  const destination: DestinationSurvey = { host: to, placement: [], concerns: [] };
  const plan = joinPlan(method, source, destination, { rttMs: 1, answered, concerns: [] }, []);
  return plan.concerns.map(({ name, severity }) => `${severity} ${name}`);
}

describe('a plan', () => {
  test('has nothing against hosts that fit', () => {
    expect(concerns({})).toEqual([]);
  });

  test('says each thing that both cards show once', () => {
    expect(concerns({}, { method: 'staged' })).toEqual(['refuses staged-unready']);
    expect(concerns({ protocolVersion: protocolVersion + 1 })).toEqual(['refuses too-old']);
    expect(concerns({ peers: [] })).toEqual(['refuses unknown-peer']);
    expect(concerns({ identity: card('lon-1', '').identity })).toEqual(['refuses copied-host']);
  });

  test('does not suppose what the destination has said', () => {
    const told = [warning('dom0-setting', 'kernel names a file of its host'), warning('no-migrate', 'nomigrate')];
    expect(concerns({}, { told })).toEqual(['warns dom0-setting', 'warns no-migrate']);
    expect(concerns({}, { told, answered: true })).toEqual(['warns no-migrate']);
  });
});
