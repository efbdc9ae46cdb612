import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa, execaSync } from 'execa';

interface TargetState {
  target: string;
  portal: string;
  luns: {
    id: string;
    file: string;
    reservation: { key: string; nexus: string } | null;
    registrations: Record<string, string>;
  }[];
  sessions: { host: string; iface: string; initiator: string; nexus: string; disks: { lun: string; loop: string }[] }[];
  nodes: string[];
  ifaces: Record<string, string>;
  next: number;
  /** It does not answer a login. */
  away: boolean;
  /** It has persistent reservations, and keeps them when it is started anew. */
  reservable: boolean;
  lasting: boolean;
  /** So many commands are told that something has changed, instead of being done. */
  attentions: number;
  /** How many programs were run, and the one that kills whoever runs it when it has done its work. */
  calls: number;
  killAt: number | null;
}

/**
 * A stand-in for an iSCSI target and for the programs of dom0 that use it, for this process and its children: LUNs are files, and a
 * session shows each as a loop device. What the kernel and real targets do is tried on real Xen.
 */
export class StandInTarget {
  readonly folder = mkdtempSync(join(tmpdir(), 'sealift-iscsi-'));
  readonly target = { name: 'iqn.2026-01.example:target', portal: '127.0.0.1:3260' };

  constructor(luns: { id: string; sizeBytes: number }[]) {
    const state: TargetState = {
      target: this.target.name,
      portal: this.target.portal,
      luns: luns.map(({ id }) => ({ id, file: this.fileOf(id), reservation: null, registrations: {} })),
      ...{
        sessions: [],
        nodes: [],
        ifaces: {},
        next: 0,
        away: false,
        reservable: true,
        lasting: true,
        attentions: 0,
        calls: 0,
        killAt: null,
      },
    };
    this.#write(state);
    mkdirSync(join(this.folder, 'ids'));
    for (const { id, sizeBytes } of luns) execaSync('truncate', ['--size', String(sizeBytes), this.fileOf(id)]);
    process.env.ISCSI_FOLDER = this.folder;
    process.env.PATH = [join(import.meta.dirname, '../fixtures/bin-iscsi'), process.env.PATH ?? ''].join(delimiter);
  }

  fileOf(id: string): string {
    return join(this.folder, `${id}.raw`);
  }

  get state(): TargetState {
    return JSON.parse(readFileSync(join(this.folder, 'state.json'), 'utf8')) as TargetState;
  }

  set(change: Partial<TargetState>): void {
    this.#write({ ...this.state, ...change });
  }

  /** Like a target that is started anew and has forgotten. */
  forget(): void {
    this.set({ luns: this.state.luns.map((lun) => ({ ...lun, reservation: null, registrations: {} })) });
  }

  reserve(id: string, reservation: { key: string; nexus: string }): void {
    this.set({ luns: this.state.luns.map((lun) => (lun.id === id ? { ...lun, reservation } : lun)) });
  }

  /** Logs a host in, as its administrator does, and gives the device of a LUN there. */
  async login(env: Record<string, string>, id: string): Promise<string> {
    const node = ['-m', 'node', '-T', this.target.name, '-p', this.target.portal, '-I', 'default'];
    await execa('iscsiadm', [...node, '--op=new'], { env });
    await execa('iscsiadm', [...node, '--login'], { env });
    return this.deviceOn(hostOf(env), id);
  }

  /** A LUN's device by a host's own session. */
  deviceOn(host: string, id: string): string {
    const session = this.state.sessions.find((one) => one.host === host && one.iface === 'default');
    const disk = session?.disks.find(({ lun }) => lun === id);
    if (disk === undefined) throw new Error(`${host} does not have the LUN ${id}`);
    return disk.loop;
  }

  /** What a target knows a host's own session by. */
  nexusOf(host: string): string | undefined {
    return this.state.sessions.find((one) => one.host === host && one.iface === 'default')?.nexus;
  }

  /** A host that boots has no session left. */
  async dropSessions(host: string): Promise<void> {
    const gone = this.state.sessions.filter((one) => one.host === host);
    for (const { disks } of gone) for (const { loop } of disks) await execa('losetup', ['--detach', loop]);
    this.set({ sessions: this.state.sessions.filter((one) => one.host !== host) });
  }

  async close(): Promise<void> {
    for (const host of new Set(this.state.sessions.map((one) => one.host))) await this.dropSessions(host);
    rmSync(this.folder, { recursive: true });
  }

  #write(state: TargetState): void {
    writeFileSync(join(this.folder, 'state.json'), JSON.stringify(state));
  }
}

function hostOf({ SEALIFT_LAB_ROOT = '' }: Record<string, string>): string {
  return SEALIFT_LAB_ROOT.split('/').at(-2) ?? '';
}
