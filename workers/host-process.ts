/**
 * How Node is to be started for a host worker, which should be small beside the guests: with its own settings V8 lets 64 MiB of
 * short-lived objects pile up and keeps code for speed that nobody waits for, and glibc gives each thread a heap of its own. `infra/systemd/sealift-host.service` has the same.
 */
export const hostProcess = {
  flags: ['--max-semi-space-size=2', '--optimize-for-size'],
  env: { MALLOC_ARENA_MAX: '2' },
} as const;
