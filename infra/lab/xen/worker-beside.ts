import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printHostFile } from '../../../domain/host-file.ts';
import { hostProcess } from '../../../workers/host-process.ts';
import { startChild } from '../../child.ts';
import type { Child } from '../../child.ts';
import { anyPort } from '../../free-port.ts';
import { commonHostFile, poolPath } from './host-worker.ts';
import type { HostPlan, HostWorker } from './host-worker.ts';

const user = 'sealift';

interface BesidePlan extends HostPlan {
  address: string;
  logFolder: string;
  asRoot: boolean;
}

/** A worker on this machine, which enters its dom0 by SSH as root, or as a user who may do everything by sudo; nothing of Sealift is in dom0. */
export class WorkerBeside implements HostWorker {
  readonly #plan: BesidePlan;
  readonly #filePath: string;
  #child: Child | null = null;

  /** `address`: where the other hosts reach this machine. */
  constructor(plan: BesidePlan) {
    this.#plan = plan;
    this.#filePath = join(plan.folder, 'host.toml');
  }

  async prepare(): Promise<void> {
    const { host, folder, address } = this.#plan;
    const { port, hostKey, privateKeyPath } = host.ssh;
    const file = commonHostFile(this.#plan, { state: folder, landing: address, port: await anyPort() });
    const where = {
      address: host.address,
      port,
      user: this.#plan.asRoot ? 'root' : user,
      host_key: hostKey,
      private_key: privateKeyPath,
    };
    file.dom0 = { access: 'ssh', ...where, folder: '/var/lib/sealift' };
    const made = join(folder, 'made');
    file.ssh = { folder: made, private_key: privateKeyPath };
    await mkdir(made, { mode: 0o700 });
    await writeFile(this.#filePath, printHostFile(file), { mode: 0o600 });
    await host.run(['mkdir', '-m', '0700', '-p', poolPath]);
    // Root is let in for the lab itself.
    if (!this.#plan.asRoot) await this.#makeUser(await readFile(`${privateKeyPath}.pub`, 'utf8'));
  }

  async start(): Promise<void> {
    await this.#child?.stop();
    const { host, temporalAddress, logFolder } = this.#plan;
    this.#child = await startChild(join(import.meta.dirname, '../../../workers/host.ts'), [this.#filePath], {
      nodeFlags: hostProcess.flags,
      env: { ...hostProcess.env, TEMPORAL_ADDRESS: temporalAddress, SEALIFT_STOP_WITH_STDIN: '1' },
      logPath: join(logFolder, `${host.name}.beside.log`),
    });
  }

  async end(): Promise<void> {
    await this.#child?.stop();
  }

  /** Its shell greets everybody, on both outputs. */
  async #makeUser(publicKey: string): Promise<void> {
    const { host } = this.#plan;
    await host.run(['useradd', '--create-home', '--shell', '/bin/bash', user]);
    // Without a password of its own: a locked one is refused by sshd also for keys.
    await host.run(['usermod', '--password', '*', user]);
    await host.writeFile(`/home/${user}/.bashrc`, 'echo "Welcome to this machine"; echo "Have a lot of fun" >&2\n');
    await host.run(['mkdir', '-p', `/home/${user}/.ssh`]);
    await host.writeFile(`/home/${user}/.ssh/authorized_keys`, publicKey);
    await host.run(['chown', '-R', user, `/home/${user}`]);
    await host.run(['chmod', '-R', 'go-rwx', `/home/${user}/.ssh`]);
    await host.writeFile(`/etc/sudoers.d/${user}`, `${user} ALL=(root) NOPASSWD: ALL\n`);
  }
}
