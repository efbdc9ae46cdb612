import { existsSync } from 'node:fs';
import { missingPrograms } from '../missing-programs.ts';

/** Each program that the lab uses, and Debian's package for it. */
const packageOf = {
  cc: 'gcc, libc6-dev',
  ip: 'iproute2',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  ping: 'iputils-ping',
  sysctl: 'procps',
};

/** What keeps this machine from running the lab, a sentence each; none when it can. */
export function missingNeeds(): string[] {
  const missing = [];
  if (process.platform !== 'linux') missing.push('Linux');
  if (process.getuid?.() !== 0) missing.push('root, for network namespaces');
  if (!existsSync('/dev/net/tun')) missing.push('/dev/net/tun');
  for (const [program, name] of missingPrograms(packageOf)) missing.push(`${program} (package ${name})`);
  return missing;
}
