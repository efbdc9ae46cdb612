import type { RunOutcome } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import type { Environment } from './lvm.ts';

/** A persistent reservation of a disk (SPC-4, 5.13): its key, and whether nobody but its holder may read or write. */
export interface Reservation {
  key: bigint;
  exclusive: boolean;
}

const commandLimitMs = 30_000;
/** Exclusive Access: the holder alone reads and writes. */
const exclusiveAccess = '3';
/** Exit codes of sg3_utils(8): Illegal Request, Unit Attention, Illegal Request for an unknown operation, Reservation Conflict. */
const illegal = 5;
const attention = 6;
const invalidOperation = 9;
const conflict = 24;

/** The reservation of a disk; null without one. Throws `iscsi-failed`. */
export async function readReservation(device: string): Promise<Reservation | null> {
  const said = await must(['--in', '--read-reservation', device]);
  const key = /Key=0x([0-9a-f]+)/i.exec(said)?.[1];
  if (key === undefined) {
    if (said.includes('there is NO reservation held')) return null;
    throw new SealiftError('iscsi-failed', `what sg_persist says of ${device} does not parse`);
  }
  return { key: BigInt(`0x${key}`), exclusive: /type: Exclusive Access\s*$/m.test(said) };
}

/** Whether the target can reserve a disk for one host alone, and whether it remembers that when it is started anew; null: it cannot. */
export async function reservable(device: string): Promise<{ lasting: boolean } | null> {
  const ask = ['--in', '--report-capabilities', device];
  const { exitCode, stdout, stderr } = await sgPersist(ask, {});
  if (exitCode === illegal || exitCode === invalidOperation) return null;
  if (exitCode !== 0) throw failed(ask, stderr);
  const valid = stdout.includes('Type Mask Valid(TMV): 1');
  if (valid && !/^\s*Exclusive Access: 1/m.test(stdout)) return null;
  return { lasting: stdout.includes('(PTPL_C): 1') };
}

/**
 * Reserves a disk for the session that `device` belongs to, in the place of the reservation `instead`, in one step of the target: when it
 * is another one by now, nothing changes. `abort`: what the target still has to do for the old holder is dropped, where it can. Throws
 * `iscsi-failed`, also when nothing has changed.
 */
export async function reserve(
  device: string,
  key: bigint,
  {
    instead,
    lasting,
    abort = false,
    env,
  }: { instead: bigint | null; lasting: boolean; abort?: boolean; env: Environment },
): Promise<void> {
  const own = hex(key);
  const through = lasting ? ['--param-aptpl'] : [];
  await must(['--out', '--register-ignore', '--param-sark', own, ...through, device], env);
  const ask = reserving(device, key);
  const first = await sgPersist(ask, env);
  if (first.exitCode === 0) return;
  if (first.exitCode !== conflict || instead === null) throw failed(ask, first.stderr);
  const preempt = ['--param-rk', own, '--param-sark', hex(instead), '--prout-type', exclusiveAccess, device];
  const aborted = abort && (await sgPersist(['--out', '--preempt-abort', ...preempt], env)).exitCode === 0;
  if (!aborted) await must(['--out', '--preempt', ...preempt], env);
  // Asked again by its holder, a reservation is granted; by anybody else it is not.
  await must(ask, env);
}

/** Whether the session that `device` belongs to has it reserved by `key`, as far as the target knows. */
export async function holds(device: string, key: bigint): Promise<boolean> {
  return (await sgPersist(reserving(device, key), {})).exitCode === 0;
}

/** Granted to who holds the reservation already, too. */
function reserving(device: string, key: bigint): string[] {
  return ['--out', '--reserve', '--param-rk', hex(key), '--prout-type', exclusiveAccess, device];
}

function hex(key: bigint): string {
  return `0x${key.toString(16)}`;
}

async function must(args: string[], env: Environment = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await sgPersist(args, env);
  if (exitCode !== 0) throw failed(args, stderr);
  return stdout;
}

async function sgPersist(args: string[], env: Environment): Promise<RunOutcome> {
  const run = (): Promise<RunOutcome> => dom0().run(['sg_persist', ...args], { limitMs: commandLimitMs, env });
  const outcome = await run();
  if (outcome.ended === 'missing')
    throw new SealiftError('iscsi-failed', 'this host has no sg_persist', { hint: 'install sg3-utils' });
  // Some targets tell once, to whoever comes next, that somebody else has changed a reservation.
  return outcome.exitCode === attention ? run() : outcome;
}

function failed([, what = '']: string[], stderr: string): SealiftError {
  const said = stderr.trim().split('\n')[0]?.slice(0, 200) ?? '';
  return new SealiftError('iscsi-failed', `sg_persist ${what} failed: ${said}`);
}
