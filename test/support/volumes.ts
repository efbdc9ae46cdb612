import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import type { Volume } from '../../storage/volume.ts';

const MiB = 1024 * 1024;

/**
 * A stand-in for LVM, for this process and its children: volume group `vg0` of 64 MiB, whose volumes are plain files. What the
 * kernel does with a volume's name is tried on real Xen only.
 */
export class StandInVolumes {
  readonly folder = mkdtempSync(join(tmpdir(), 'sealift-lvm-'));

  constructor() {
    writeFileSync(
      join(this.folder, 'volumes.json'),
      JSON.stringify({ groups: { vg0: 64 * MiB }, volumes: [], made: 0 }),
    );
    this.setOpen(0);
    process.env.LVM_FOLDER = this.folder;
    process.env.PATH = [join(import.meta.dirname, '../fixtures/bin-lvm'), process.env.PATH ?? ''].join(delimiter);
  }

  /** How often the kernel has a volume open. */
  setOpen(times: number): void {
    writeFileSync(join(this.folder, 'open'), `${String(times)}\n`);
  }

  async make(name: string, sizeBytes: number): Promise<{ path: string; volume: Volume }> {
    await execa('lvm', ['lvcreate', '--name', name, '--size', `${String(sizeBytes)}b`, 'vg0']);
    const { stdout } = await execa('lvm', ['lvs', '--select', 'vg_name=vg0']);
    const rows = (JSON.parse(stdout) as { report: [{ lv: { lv_name: string; lv_uuid: string }[] }] }).report[0].lv;
    const uuid = rows.find((one) => one.lv_name === name)?.lv_uuid ?? '';
    return { path: join(this.folder, 'dev/vg0', name), volume: { group: 'vg0', uuid, name } };
  }
}
