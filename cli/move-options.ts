import { Option } from 'commander';
import type { Command } from 'commander';
import { z } from 'zod';
import type { MigrateRequest } from '../client/index.ts';
import { migrationInput, probeSpec } from '../domain/migration.ts';
import { hostName, method, poolName } from '../domain/names.ts';
import { count, duration, endpoint, moment, rate } from './parse.ts';

const { onStuckGuest, streams } = migrationInput.shape;

const cutover = z.string().transform((text, context) => {
  if (text === 'now' || text === 'approve') return text;
  const [begin = '', end = '', ...more] = text.split('/');
  const [notBefore, notAfter] = [moment.safeParse(begin), moment.safeParse(end)];
  if (notBefore.success && notAfter.success && more.length === 0 && notBefore.data < notAfter.data) {
    return { notBefore: notBefore.data, notAfter: notAfter.data };
  }
  context.addIssue(`'${text}' is not a cutover: use now, approve, or a window 2026-11-30T01:00/2026-11-30T03:00`);
  return z.NEVER;
});

/** The options by which a move differs from the usual one; `migrate` and `schedule create` take them. */
export const moveOptions = z.object({
  to: hostName,
  method: method.optional(),
  pool: poolName.optional(),
  keepMemory: z.boolean().default(false),
  onStuckGuest: onStuckGuest.unwrap().optional(),
  grace: duration.optional(),
  cutover: cutover.optional(),
  limit: rate.optional(),
  streams: count.pipe(streams.unwrap()).optional(),
  probeVifs: z.literal(true).optional(),
  probeConsole: probeSpec.shape.console,
  probePing: probeSpec.shape.ping,
  probeTcp: endpoint.optional(),
  probeCommand: probeSpec.shape.command,
  probeLimit: duration.optional(),
  probeWrites: z.boolean().default(true),
});

/** Adds them to a command, `--to` among them. */
export function addMoveOptions(command: Command): Command {
  return command
    .requiredOption('--to <host>', 'the host it goes to')
    .addOption(new Option('--method <method>', 'how it crosses (default: sealed)').choices(method.options))
    .option('--pool <pool>', 'the pool at the destination that takes its disks')
    .option('--keep-memory', 'save the guest with its memory instead of shutting it down: it goes on where it was')
    .addOption(
      new Option('--on-stuck-guest <policy>', 'when the guest does not shut down in its time (default: wait)').choices(
        onStuckGuest.unwrap().options,
      ),
    )
    .option('--grace <time>', 'how long the guest may take to shut down: 90s, 5m (default: 2m)')
    .option('--cutover <when>', 'when it may shut the VM down: now, approve, or a window BEGIN/END (default: now)')
    .option('--limit <rate>', 'rate limit: 50M is megabytes a second, 48Mi mebibytes, 400Mbit megabits')
    .option('--streams <number>', 'number of TCP streams (default: by the measured line)')
    .option('--probe-vifs', 'after the start: the guest must send something by one of its vifs')
    .option('--probe-console <text>', 'after the start: what must be written on its console, such as "login:"')
    .option('--probe-ping <address>', 'after the start: an address that must answer ping')
    .option('--probe-tcp <host:port>', 'after the start: a port that must take connections')
    .option('--probe-command <name>', "after the start: a command of the destination's host file that must pass")
    .option('--probe-limit <time>', 'how long the probe may take (default: 1m)')
    .option('--no-probe-writes', 'do not ask for disk writes after the start');
}

/** The options as the client takes them; what was not given is left to the client's defaults. */
export function moveRequest(
  options: z.output<typeof moveOptions>,
): Omit<MigrateRequest, 'vm' | 'from' | 'migrationId' | 'supersede'> {
  return {
    to: options.to,
    ...(options.method !== undefined && { method: options.method }),
    ...(options.pool !== undefined && { pool: options.pool }),
    ...(options.keepMemory && { keepMemory: true }),
    ...(options.onStuckGuest !== undefined && { onStuckGuest: options.onStuckGuest }),
    ...(options.grace !== undefined && { graceMs: options.grace }),
    ...(options.cutover !== undefined && { cutover: options.cutover }),
    ...(options.limit !== undefined && { limitBytesPerSecond: options.limit }),
    ...(options.streams !== undefined && { streams: options.streams }),
    probe: {
      diskWrites: options.probeWrites,
      ...(options.probeVifs === true && { vifs: true as const }),
      ...(options.probeConsole !== undefined && { console: options.probeConsole }),
      ...(options.probePing !== undefined && { ping: options.probePing }),
      ...(options.probeTcp !== undefined && { tcp: options.probeTcp }),
      ...(options.probeCommand !== undefined && { command: options.probeCommand }),
      ...(options.probeLimit !== undefined && { limitMs: options.probeLimit }),
    },
  };
}
