import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabSshd } from '../infra/lab/sshd.ts';

/** The cipher that we use too. */
const cipher = 'aes256-gcm@openssh.com';

/** Writes a client's configuration for a server, which it knows as `host`, beside the server's own; gives its path. */
export async function writeSshConfig(sshd: LabSshd, host: string): Promise<string> {
  const path = join(sshd.folder, 'ssh_config');
  const known = knownHostsPath(sshd);
  await writeFile(known, `[${sshd.address}]:${String(sshd.port)} ${sshd.hostKey}\n`);
  const lines = [
    `Host ${host}`,
    `HostName ${sshd.address}`,
    `Port ${String(sshd.port)}`,
    `User ${sshd.user}`,
    `IdentityFile ${sshd.privateKeyPath}`,
    'IdentitiesOnly yes',
    'BatchMode yes',
    `UserKnownHostsFile ${known}`,
    `Ciphers ${cipher}`,
    'Compression no',
    '',
  ];
  await writeFile(path, lines.join('\n'));
  return path;
}

/** Where a client finds the server's key. */
export function knownHostsPath({ folder }: LabSshd): string {
  return join(folder, 'known_hosts');
}
