import { execFileSync } from 'node:child_process';
import { renameSync, statSync, writeFileSync } from '../fs.ts';
import { createDomain, memoryFile } from '../create.ts';
import { readGuestConfig } from '../guest-config.ts';
import type { GuestConfig } from '../guest-config.ts';
import { ExactReader, decodeHead, end, headBytes, messages, pieceBytes } from '../migration-stream.ts';
import { parseOptions } from '../options.ts';
import { signalProcess } from '../process.ts';
import { findDomain } from '../state.ts';
import type { XlCall } from '../xl.ts';
import { givenUp, XlFailure } from '../xl-failure.ts';
import { endDomain } from './power.ts';

/** `xl migrate-receive [-p]`: takes a guest from standard input, answers on standard output, and starts it unless it is to stay paused. */
export async function migrateReceive(call: XlCall): Promise<void> {
  const { count } = parseOptions('migrate-receive', call.args, 'Fedrp', {});
  const from = new ExactReader(process.stdin);
  call.log('migration target: Ready to receive domain.');
  call.out(messages.banner);
  const config = await readConfigOf(call, from);
  const domid = await begin(call, { ...config, name: `${config.name}--incoming` });
  const arrived = findDomain(call.state, String(domid));
  const destroyed = async (): Promise<void> => {
    if (arrived !== null) await endDomain(call, arrived);
  };
  call.log(`xc: info: Found x86 ${config.type === 'pv' ? 'PV' : 'HVM'} domain from Xen 4.17`);
  call.log('xc: info: Restoring domain');
  if (!(await takeMemory(call, from, domid))) {
    await destroyed();
    throw new XlFailure(1, ...cutShort(domid));
  }
  for (const line of [
    'Restore successful',
    'XenStore: mfn 0xfeffc, dom 0, evt 1',
    'Console: mfn 0xfefff, dom 0, evt 2',
  ])
    call.log(`xc: info: ${line}`);
  call.log('migration target: Transfer complete, requesting permission to start domain.');
  call.out(messages.ready);
  if (!(await from.takes(messages.go))) {
    await destroyed();
    throw new XlFailure(1, 'migration target: Failure, destroying our copy.');
  }
  call.log('migration target: Got permission, starting domain.');
  call.state.change(domid, { name: config.name, config });
  if (count('p') === 0 && arrived?.process != null) signalProcess(arrived.process, 'SIGCONT');
  call.log('migration target: Domain started successsfully.');
  call.out(`${messages.report}\0`);
  process.stdin.destroy();
}

async function readConfigOf(call: XlCall, from: ExactReader): Promise<GuestConfig> {
  const head = await from.take(headBytes);
  const about = head === null ? null : decodeHead(head);
  if (about === null) throw new XlFailure(1, 'File has wrong magic number - corrupt or for a different tool?');
  call.log(`Loading new save file <incoming migration stream> (new xl fmt info ${about.info})`);
  const length = (await from.take(4))?.readUInt32LE(0) ?? 0;
  const text = (await from.take(length))?.toString('utf8').replace(/\0+$/, '') ?? '';
  if (length + 4 !== about.bytes) throw new XlFailure(1, 'The configuration of the stream has another length');
  call.log(` Savefile contains xl domain config${about.json ? ' in JSON format' : ''}`);
  call.log('Parsing config from <saved>');
  return about.json ? (JSON.parse(text) as GuestConfig) : readGuestConfig(text, '<saved>');
}

/** The domain is there, paused, before its memory comes. */
async function begin(call: XlCall, config: GuestConfig): Promise<number> {
  try {
    return await writable(config, () =>
      createDomain(call.places, call.state, config, { paused: true, memory: null, arrives: true }),
    );
  } catch (error) {
    if (!(error instanceof XlFailure)) throw error;
    throw new XlFailure(1, ...error.lines, 'migration target: Domain creation failed (code -3).');
  }
}

/** On Xen a device is opened for writing also while its target refuses this host; a loop device that stands for one is not. */
async function writable<Result>({ disks }: GuestConfig, act: () => Promise<Result>): Promise<Result> {
  const refused = disks.flatMap(({ target }) =>
    target !== null && isDevice(target) && asked(['--getro', target]).trim() === '1' ? [target] : [],
  );
  for (const device of refused) asked(['--setrw', device]);
  try {
    return await act();
  } finally {
    for (const device of refused) asked(['--setro', device]);
  }
}

function asked(argv: string[]): string {
  return execFileSync('blockdev', argv, { encoding: 'utf8' });
}

function isDevice(path: string): boolean {
  try {
    return statSync(path).isBlockDevice();
  } catch {
    return false;
  }
}

/** Whether all of it came. */
async function takeMemory({ places, halfWay }: XlCall, from: ExactReader, domid: number): Promise<boolean> {
  const pieces = (await from.take(4))?.readUInt32LE(0) ?? null;
  if (pieces === null) return false;
  for (let piece = 0; piece < pieces; piece += 1) {
    if (piece === Math.floor(pieces / 2)) halfWay();
    if ((await from.take(pieceBytes)) === null) return false;
  }
  const length = (await from.take(4))?.readUInt32LE(0) ?? null;
  const memory = length === null ? null : await from.take(length);
  if (memory === null || (await from.take(end.length))?.equals(end) !== true) return false;
  const file = memoryFile(places, domid);
  writeFileSync(`${file}.new`, memory);
  renameSync(`${file}.new`, file);
  return true;
}

function cutShort(domid: number): string[] {
  return [
    'xc: error: Failed to read Record Header from stream (0 = Success): Internal error',
    'xc: error: Restore failed (0 = Success): Internal error',
    'libxl: error: libxl_stream_read.c:850:libxl__xc_domain_restore_done: restoring domain: Success',
    `libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain ${String(domid)}:cannot (re-)build domain: -3`,
    ...givenUp(domid),
    'migration target: Domain creation failed (code -3).',
  ];
}
