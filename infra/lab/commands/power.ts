import { until } from '../patience.ts';
import { livingProcess, signalProcess } from '../process.ts';
import { findDomain } from '../state.ts';
import type { LivingDomain } from '../state.ts';
import type { XlCall } from '../xl.ts';
import { givenUp, noSuchDomain, XlFailure } from '../xl-failure.ts';
import { parseOptions } from '../options.ts';

/** `xl destroy NAME|DOMID`: ends when the domain is gone. Half way it is paused and holds its disks still. */
export async function destroy(call: XlCall): Promise<void> {
  const domain = operand(call, 'destroy', 'f');
  if (domain.process !== null) signalProcess(domain.process, 'SIGSTOP');
  call.halfWay();
  await endDomain(call, domain);
}

/** `xl pause NAME|DOMID`; a paused domain stays so. */
export async function pause(call: XlCall): Promise<void> {
  const { process } = operand(call, 'pause', '');
  call.halfWay();
  if (process === null) return;
  signalProcess(process, 'SIGSTOP');
  await until(5_000, () => (livingProcess(process)?.letter ?? 'T') === 'T');
}

/** `xl unpause NAME|DOMID`; a running domain runs on. */
export function unpause(call: XlCall): void {
  const { process } = operand(call, 'unpause', '');
  call.halfWay();
  if (process !== null) signalProcess(process, 'SIGCONT');
}

/** Takes a domain down at once and waits until its process, and with it every open disk, is gone. */
export async function endDomain(call: XlCall, { domid, process }: LivingDomain): Promise<void> {
  call.state.change(domid, { phase: 'dying', reason: 0 });
  if (process !== null) {
    signalProcess(process, 'SIGKILL');
    await until(10_000, () => livingProcess(process) === null);
  }
  call.state.alone(() => {
    call.state.remove(domid);
  });
}

function operand(call: XlCall, command: string, letters: string): LivingDomain {
  const [name = ''] = parseOptions(command, call.args, letters, {}, 1).operands;
  const domain = findDomain(call.state, name);
  if (domain !== null) return domain;
  if (!/^\d+$/.test(name)) throw noSuchDomain(name);
  throw new XlFailure(1, ...(command === 'destroy' ? givenUp(Number(name)) : []), `${command} failed (rc=-21)`);
}
