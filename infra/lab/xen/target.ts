import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { addresses } from './places.ts';

/** The third place: an iSCSI target on this machine with one empty disk, which every host that reaches it may use. */
export interface Target {
  /** Address and port, as the hosts reach it. */
  portal: string;
  name: string;
  lun: number;
  /** By which a host knows the disk, whatever its device is called. */
  serial: string;
  bytes: number;
  /** The disk's file on this machine. */
  path: string;
}

/** Not 3260, which a target of this machine's own may have on all addresses. */
const port = 3270;
const startLimitMs = 20_000;

export function targetOf(folder: string, number: number): Target {
  return {
    portal: `${addresses(number).management('outside')}:${String(port)}`,
    name: 'iqn.2026-01.example.lab:disk-1',
    lun: 1,
    serial: 'LAB00001',
    bytes: 256 * 1024 ** 2,
    path: join(folder, 'target/disk-1.raw'),
  };
}

/** Starts it, with zeros on its disk, whatever an earlier one has left. */
export async function startTarget(folder: string, logFolder: string, number: number): Promise<void> {
  const target = targetOf(folder, number);
  const own = join(folder, 'target');
  await rm(own, { recursive: true, force: true });
  await mkdir(own, { recursive: true, mode: 0o700 });
  await mkdir(logFolder, { recursive: true, mode: 0o700 });
  await writeFile(target.path, '');
  await truncate(target.path, target.bytes);
  // Its socket, by which tgtadm speaks to it, is in the lab's folder and not in the system's.
  const env = { ...process.env, TGT_IPC_SOCKET: join(own, 'control') };
  const log = openSync(join(logFolder, 'target.log'), 'a', 0o600);
  const server = ['--foreground', '--iscsi', `portal=${target.portal}`, '--pid-file', join(own, 'pid')];
  spawn('tgtd', server, { env, detached: true, stdio: ['ignore', log, log] }).unref();
  closeSync(log);

  const admin = (mode: string, ...args: string[]) =>
    execa('tgtadm', ['--lld', 'iscsi', '--mode', mode, ...args], { env, stdin: 'ignore' });
  await answering(() => admin('sys', '--op', 'show'));
  const id = ['--tid', '1'];
  const lun = [...id, '--lun', String(target.lun)];
  await admin('target', '--op', 'new', ...id, '--targetname', target.name);
  await admin('logicalunit', '--op', 'new', ...lun, '--backing-store', target.path);
  const names = `vendor_id=LAB,scsi_id=${target.serial},scsi_sn=${target.serial}`;
  await admin('logicalunit', '--op', 'update', ...lun, '--params', names);
  await admin('target', '--op', 'bind', ...id, '--initiator-address', 'ALL');
}

async function answering(ask: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + startLimitMs;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(50);
    }
  }
}
