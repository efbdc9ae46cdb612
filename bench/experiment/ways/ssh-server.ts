import { startSshd, sshdMissing } from '../../../infra/lab/sshd.ts';
import type { LabSshd } from '../../../infra/lab/sshd.ts';
import { missingPrograms } from '../../../infra/lab/missing-programs.ts';
import { writeSshConfig } from '../../ssh-config.ts';
import type { End } from '../end.ts';

/** An SSH server at an end, metered, and the configuration by which a client at the other one reaches it as `there`. */
export interface SshServer {
  sshd: LabSshd;
  config: string;
}

export async function serveSsh({ site, meter }: End): Promise<SshServer> {
  const sshd = await startSshd({}, site);
  meter.enter(sshd.pid());
  return { sshd, config: await writeSshConfig(sshd, 'there') };
}

/** What a way lacks that needs an SSH server and these programs, each with Debian's package for it. */
export function lacksOfSsh(packageOf: Readonly<Record<string, string>>): string[] {
  return [...(sshdMissing === null ? [] : [sshdMissing]), ...lacksOf({ ssh: 'openssh-client', ...packageOf })];
}

/** Which of the programs are not installed. */
export function lacksOf(packageOf: Readonly<Record<string, string>>): string[] {
  return missingPrograms(packageOf).map(([program, name]) => `${program} is not installed (package ${name})`);
}
