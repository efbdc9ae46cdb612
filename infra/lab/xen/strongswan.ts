import type { XenHost } from './host.ts';
import { until } from './until.ts';

/** What strongswan.service does on a Debian host; ESP is the kernel's. */
export async function startStrongSwan(host: XenHost): Promise<void> {
  await host.run(['sh', '-c', 'setsid charon-systemd >/var/log/charon.log 2>&1 </dev/null &']);
  await until(30_000, `strongSwan of ${host.name} answers`, async () =>
    (await host.exec(['swanctl', '--stats'])).exitCode === 0 ? true : null,
  );
}
