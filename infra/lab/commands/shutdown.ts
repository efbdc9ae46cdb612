import { setTimeout as sleep } from 'node:timers/promises';
import { parseOptions } from '../options.ts';
import { signalProcess } from '../process.ts';
import { findDomain } from '../state.ts';
import type { LivingDomain } from '../state.ts';
import type { XlCall } from '../xl.ts';
import { noSuchDomain, XlFailure } from '../xl-failure.ts';

/** `xl shutdown [-w [-w]] [-F] -a|NAME`: `-w` waits for the shutdown or the end of the domain, `-w -w` for its end only. */
export async function shutdown(call: XlCall): Promise<void> {
  await ask(call, { command: 'shutdown', says: 'Shutting down', signal: 'SIGTERM' });
}

/** `xl reboot [-w [-w]] [-F] -a|NAME` */
export async function reboot(call: XlCall): Promise<void> {
  await ask(call, { command: 'reboot', says: 'Rebooting', signal: 'SIGHUP' });
}

async function ask(call: XlCall, how: { command: string; says: string; signal: NodeJS.Signals }): Promise<void> {
  const long = { wait: 'w', all: 'a' };
  const options = parseOptions(how.command, call.args, 'waF', long);
  const [name] = options.operands;
  const all = options.count('a') > 0;
  if (name === undefined && !all) throw new XlFailure(2, `'xl ${how.command}' requires at least 1 argument.`, '');
  const domains = all ? call.state.living() : [found(call, name ?? '')];
  for (const domain of domains) {
    call.log(`${how.says} domain ${String(domain.domid)}`);
    send(domain, how);
  }
  call.halfWay();
  const waits = options.count('w');
  if (waits === 0) return;
  call.log(`Waiting for ${String(domains.length)} domains`);
  for (const domain of domains) await waitFor(call, domain, waits === 1);
}

function found(call: XlCall, name: string): LivingDomain {
  const domain = findDomain(call.state, name);
  if (domain === null) throw noSuchDomain(name);
  return domain;
}

function send({ process, phase }: LivingDomain, how: { command: string; signal: NodeJS.Signals }): void {
  const answers = phase === 'running' && process !== null && signalProcess(process, how.signal);
  if (answers) return;
  throw new XlFailure(
    1,
    "libxl: error: libxl_domain.c:854:pvcontrol_cb: guest didn't acknowledge control request: -9",
    `${how.command} failed (rc=-9)`,
  );
}

async function waitFor(call: XlCall, { domid }: LivingDomain, orShutdown: boolean): Promise<void> {
  const id = String(domid);
  for (;;) {
    const domain = call.state.living().find((one) => one.domid === domid);
    if (domain === undefined) {
      call.log(`Domain ${id} has been destroyed`);
      return;
    }
    if (orShutdown && domain.reason !== null) {
      call.log(`Domain ${id} has been shut down, reason code ${String(domain.reason)}`);
      return;
    }
    await sleep(20);
  }
}
