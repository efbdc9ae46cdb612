import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { anyPort } from '../free-port.ts';
import { listening } from './listening.ts';

const program = '/usr/sbin/sshd';

/** Why what needs a real SSH server cannot run here; null when it can. */
export const sshdMissing = existsSync(program) ? null : 'no /usr/sbin/sshd (package openssh-server)';

/** Somewhere else than beside this process. */
interface SshdPlace {
  address: string;
  /** The words by which a program runs there, in one process. */
  within: (program: string, ...args: string[]) => [program: string, args: string[]];
}

export interface LabSshd {
  address: string;
  port: number;
  user: string;
  /** Type and base64 of its host key. */
  hostKey: string;
  privateKeyPath: string;
  folder: string;
  /** The server's process; its children hold the sessions. */
  pid(): number;
  /** Kills the server and every session of it, as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again on the same port and with the same keys. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A real OpenSSH server on a port of its own, with its own keys and configuration, for the user who runs this process. `env`: what
 * its sessions find in their environment.
 */
export async function startSshd(env: Readonly<Record<string, string>> = {}, place?: SshdPlace): Promise<LabSshd> {
  const address = place?.address ?? '127.0.0.1';
  const folder = await mkdtemp(join(tmpdir(), 'sealift-sshd-'));
  await chmod(folder, 0o700);
  const hostKeyPath = join(folder, 'host_key');
  const privateKeyPath = join(folder, 'client_key');
  for (const path of [hostKeyPath, privateKeyPath]) {
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'lab', '-f', path]);
  }
  const keys = join(folder, 'authorized_keys');
  await copyFile(`${privateKeyPath}.pub`, keys);
  await chmod(keys, 0o600);
  const port = await anyPort();
  const config = join(folder, 'sshd_config');
  await writeFile(
    config,
    [
      `Port ${String(port)}`,
      `ListenAddress ${address}`,
      `HostKey ${hostKeyPath}`,
      `AuthorizedKeysFile ${keys}`,
      `PidFile ${join(folder, 'pid')}`,
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin prohibit-password',
      'Subsystem sftp internal-sftp',
      // A session whose client's site is gone ends by itself.
      'ClientAliveInterval 60',
      'MaxStartups 100',
      'MaxSessions 100',
      // What its user's shell does at each start, such as printing, is for a test to say: in `.bashrc`.
      `SetEnv ${Object.entries({ ...env, HOME: folder })
        .map(([name, value]) => `"${name}=${value}"`)
        .join(' ')}`,
      '',
    ].join('\n'),
  );
  // Where sshd separates its privileges; only root's sshd looks for it.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const hostKey = (await readFile(`${hostKeyPath}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ');

  let server = launch(config, place);
  await listening(server.pid ?? 0, port);
  const kill = async () => {
    // Sessions are in process groups of their own, so the whole tree is looked up first.
    for (const pid of server.pid === undefined ? [] : await tree(server.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    await server;
  };
  return {
    address,
    port,
    user: userInfo().username,
    hostKey,
    privateKeyPath,
    folder,
    pid: () => server.pid ?? 0,
    kill,
    start: async () => {
      server = launch(config, place);
      await listening(server.pid ?? 0, port);
    },
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function launch(config: string, place: SshdPlace | undefined) {
  const words = ['-D', '-e', '-f', config];
  const [file, args] = place === undefined ? [program, words] : place.within(program, ...words);
  return execa(file, args, { stdio: 'ignore', reject: false });
}

async function tree(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8').catch(() => '');
  const below = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map((child) => tree(Number(child))),
  );
  return [pid, ...below.flat()];
}
