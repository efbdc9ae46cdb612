import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printHostFile } from '../../../domain/host-file.ts';
import { hostProcess } from '../../../workers/host-process.ts';
import { arrivedPath, commonHostFile, containerServerOf, poolPath } from './host-worker.ts';
import type { HostPlan, HostWorker } from './host-worker.ts';
import { until } from './until.ts';

const madePath = '/srv/sealift/outgoing';
const sshKeyPath = '/etc/sealift/ssh.key';
const statePath = '/var/lib/sealift';
const hostFilePath = '/etc/sealift/host.toml';
const logPath = '/var/log/sealift.log';
const readyLimitMs = 600_000;

/** The worker that the lab has put into a dom0, started and started again as a unit of systemd would do it. */
export class WorkerInDom0 implements HostWorker {
  readonly #plan: HostPlan;

  constructor(plan: HostPlan) {
    this.#plan = plan;
  }

  async prepare(): Promise<void> {
    const { host, folder } = this.#plan;
    const file = commonHostFile(this.#plan, { state: statePath, landing: host.linkAddress, port: 7410 });
    file.staging = containerServerOf(host);
    file.ssh = { folder: madePath, private_key: sshKeyPath };
    for (const path of [poolPath, arrivedPath, madePath, statePath, '/etc/sealift'])
      await host.run(['mkdir', '-m', '0700', '-p', path]);
    await host.writeFile(hostFilePath, printHostFile(file));
    await host.writeFile(`${statePath}/identity.key`, await readFile(join(folder, 'identity.key')));
    await host.writeFile(sshKeyPath, await readFile(host.ssh.privateKeyPath));
    await host.run(['chmod', '0600', hostFilePath, `${statePath}/identity.key`, sshKeyPath]);
  }

  async start(): Promise<void> {
    const { host, temporalAddress } = this.#plan;
    const env = Object.entries({ ...hostProcess.env, TEMPORAL_ADDRESS: temporalAddress });
    const program = ['/opt/sealift/node', ...hostProcess.flags, '/opt/sealift/worker/host.js', hostFilePath];
    // What an earlier one has said does not count.
    const script = `until "$@"; do sleep 5; done >/var/log/sealift.out 2>>${logPath} </dev/null &`;
    const words = ['setsid', 'env', ...env.map(([name, value]) => `${name}=${value}`), ...program];
    await host.run(['sh', '-c', script, 'sh', ...words]);
    await until(readyLimitMs, `the worker of ${host.name} is ready`, async () => {
      const { stdout } = await host.exec(['cat', '/var/log/sealift.out']);
      return stdout.includes('"ready":true') ? stdout : null;
    });
  }

  async end(): Promise<void> {
    // A host that was taken down has no log to give.
    await this.#plan.host.keepLog(logPath).catch(() => undefined);
  }
}
