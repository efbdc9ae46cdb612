import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Dom0Shell } from './dom0-shell.ts';
import type { ExecOptions, Said } from './dom0-shell.ts';
import { boot, cutPower, ended } from './machine.ts';
import type { Machine } from './machine.ts';
import { addresses } from './places.ts';
import type { SshServer } from '../../../dom0/ssh.ts';

/** One Xen host of a lab. */
export class XenHost {
  readonly name: string;
  /** Dom0 on the management network, which this machine is on too. */
  readonly address: string;
  /** Dom0 on the link between the hosts. */
  readonly linkAddress: string;
  readonly ssh: SshServer;
  readonly machine: Machine;
  readonly #shell: Dom0Shell;

  constructor(machine: Machine) {
    const places = addresses(machine.number);
    this.name = machine.name;
    this.address = places.management(machine.name);
    this.linkAddress = places.link(machine.name);
    this.ssh = {
      address: this.address,
      port: 22,
      user: 'root',
      hostKey: machine.image.hostKey,
      privateKeyPath: machine.image.privateKeyPath,
    };
    this.machine = machine;
    this.#shell = new Dom0Shell(this.ssh);
  }

  /** Runs a command in dom0; its failure is told by `exitCode`. */
  exec(argv: string[], options?: ExecOptions): Promise<Said> {
    return this.#shell.exec(argv, options);
  }

  /** What the command writes to standard output. Throws, with what it said, when it fails. */
  async run(argv: string[], options?: ExecOptions): Promise<string> {
    const { exitCode, stdout, stderr } = await this.exec(argv, options);
    if (exitCode === 0) return stdout;
    throw new Error(`${this.name}: ${argv.join(' ')}: exit ${String(exitCode)}: ${stderr || stdout}`);
  }

  /** Writes a file of dom0, whole. */
  async writeFile(path: string, content: string | Buffer): Promise<void> {
    await this.run(['cp', '/dev/stdin', path], { input: content });
  }

  /** Copies a log of dom0 to the lab's logs, as far as there is one: dom0's own files go with the lab. */
  async keepLog(path: string): Promise<void> {
    const { stdout } = await this.exec(['cat', path]);
    await writeFile(join(this.machine.logFolder, `${this.name}.${basename(path)}`), stdout, { mode: 0o600 });
  }

  /** What was not synced is lost; memory with all domains is. */
  async powerCut(): Promise<void> {
    this.disconnect();
    await cutPower(this.machine);
  }

  /** Resolves when dom0 is up. */
  async powerOn(): Promise<void> {
    await boot(this.machine);
    await this.settle();
  }

  /** What a machine needs that was just booted or resumed: the time, which stood still, and the disk with the worker. */
  async settle(): Promise<void> {
    await this.run(['date', '--set', `@${String(Date.now() / 1000)}`]);
    await this.run(['mount', '-t', 'ext4', '-o', 'ro', '/dev/vdd', '/opt/sealift']);
  }

  /** An orderly shutdown of dom0, and on again. */
  async reboot(): Promise<void> {
    await this.run(['busybox', 'reboot']);
    await ended(this.machine);
    this.disconnect();
    await this.powerOn();
  }

  /** Ends the connection, which else keeps this process alive. */
  disconnect(): void {
    this.#shell.close();
  }
}
