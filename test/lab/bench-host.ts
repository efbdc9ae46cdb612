import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { addLabVm, labProcesses, makeLabHost, stopLabHost } from '../../infra/lab/lab-host.ts';
import type { LabHost, LabHostOptions, LabVm } from '../../infra/lab/lab-host.ts';

export interface XlRun {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

/** A stand-in host in a temporary folder, with `xl` run as a program, and nothing left of it at the end. */
export class BenchHost {
  readonly folder: string;
  readonly host: LabHost;

  private constructor(folder: string, host: LabHost) {
    this.folder = folder;
    this.host = host;
  }

  static async make(options: LabHostOptions = {}): Promise<BenchHost> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'sealift-lab-')));
    return new BenchHost(folder, await makeLabHost(join(folder, 'host'), { guestHaltMs: 5, dyingMs: 20, ...options }));
  }

  async xl(...args: string[]): Promise<XlRun> {
    const { exitCode, stdout, stderr } = await execa(this.host.xl, args, {
      cwd: this.folder,
      env: this.host.env,
      reject: false,
      stripFinalNewline: false,
    });
    return { exitCode, stdout, stderr };
  }

  /** A VM with a disk of 64 KiB and a data disk of 256 KiB, which writes a record every 2 ms. */
  async vm(
    name: string,
    extraConfig = '',
    autostart = false,
  ): Promise<LabVm & { systemDisk: string; dataDisk: string }> {
    const systemDisk = join(this.folder, `${name}-a.raw`);
    const dataDisk = join(this.folder, `${name}-b.raw`);
    const vm = await addLabVm(this.host, {
      name,
      memoryMib: 64,
      disks: [
        { path: systemDisk, vdev: 'xvda', sizeBytes: 64 * 1024 },
        { path: dataDisk, vdev: 'xvdb', sizeBytes: 256 * 1024 },
      ],
      autostart,
      extraConfig: `extra = "records_ms=2"\n${extraConfig}`,
    });
    return { ...vm, systemDisk, dataDisk };
  }

  /** The rows of `xl list` by name: domid and state. */
  async list(): Promise<Record<string, { domid: number; state: string }>> {
    const { stdout } = await this.xl('list');
    const rows = [...stdout.matchAll(/^(\S+) +(\d+) +\d+ +\d+ +([a-z-]{6}) /gm)];
    return Object.fromEntries(rows.map((row) => [row[1] ?? '', { domid: Number(row[2]), state: row[3] ?? '' }]));
  }

  async end(): Promise<void> {
    await stopLabHost(this.host.root);
    const left = labProcesses(this.host.root);
    await rm(this.folder, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left running: ${left.join(', ')}`);
  }
}

/** Asks again and again until the answer is yes; the limit is for a machine under load. */
export async function eventually(what: string, met: () => Promise<boolean> | boolean, limitMs = 15_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await met())) {
    if (Date.now() > end) throw new Error(`did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
