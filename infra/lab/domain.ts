import { closeSync, constants, openSync, readFileSync, readSync, renameSync, writeFileSync, writeSync } from './fs.ts';
import { flushCompileCache } from 'node:module';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryFile } from './create.ts';
import type { DomainSpec } from './create.ts';
import { takeFault } from './faults.ts';
import type { GuestConfig, ShutdownAction } from './guest-config.ts';
import { errorCode } from './guest-disks.ts';
import { Guest, say } from './guest.ts';
import type { OpenDisk } from './guest.ts';
import { labPlaces, labSettings } from './places.ts';
import { thisProcess } from './process.ts';
import { rightsOverPermissions } from './spawn-domain.ts';
import type { GuestMemory } from './record-writer.ts';
import type { DomainAnswer } from './spawn-domain.ts';
import { LabState } from './state.ts';
import type { DomainRow } from './state.ts';

/*
 * A domain of the stand-in host: a process that holds its disks open from before its guest boots until it is gone, and that
 * knows of nothing but its configuration and its disks. Signals are what xenstore and the hypervisor are to a real domain:
 * SIGTERM halt, SIGHUP reboot, SIGUSR2 suspend for a save and resume, SIGSTOP and SIGCONT pause and unpause, SIGKILL destroy.
 */

const builderFile = 3;
const spec = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as DomainSpec;
const { domid, config } = spec;
const places = labPlaces(process.env.SEALIFT_LAB_ROOT ?? '');
const settings = labSettings(places);
const kept = rightsOverPermissions('self');
if (kept.length > 0) throw new Error(`the domain could pass by file permissions: it still has ${kept.join(', ')}`);

let halting = false;
let suspended = false;
let guest: Guest | null = null;
process.on('SIGTERM', () => void askedToHalt('poweroff'));
process.on('SIGHUP', () => void askedToHalt('reboot'));
process.on('SIGUSR2', suspendOrResume);
// Keeps a preserved or paused domain alive.
setInterval(() => undefined, 2 ** 30);

if (!changeRow({ process: thisProcess() })) process.exit(1);
const observer = await meetObserver();
const disks = openDisks();
answer({ ready: true });
// Without a word from its builder (killed in the middle) the domain stays paused: on Xen, unpausing is xl's last step.
const word = readBuilder();
closeSync(builderFile);
if (word !== 'go') process.kill(process.pid, 'SIGSTOP');
changeRow({ ran: true });
if (spec.arrives) tellObserver({ runs: true });
say(`domain ${String(domid)} ${spec.arrives ? 'arrives' : 'boots'}`);
const memory = spec.arrives
  ? (JSON.parse(readFileSync(memoryFile(places, domid), 'utf8')) as GuestMemory | null)
  : spec.memory;
guest = new Guest(config, settings.hostName, disks, memory, failingDisk, (record) => {
  tellObserver(record);
});
// A domain is mostly killed, and would then never leave its stripped sources to the next one.
flushCompileCache();

function tellObserver(what: object): void {
  observer?.write(`${JSON.stringify(what)}\n`);
}

/** The fence tests' referee is told before any disk is open, and sees the connection end when the process does. */
async function meetObserver(): Promise<Socket | null> {
  const path = process.env.SEALIFT_LAB_OBSERVER ?? settings.observer;
  if (path === null || path === '') return null;
  const socket = connect(path);
  await new Promise<void>((resolve) => {
    socket.once('error', (error) => {
      refuse({ ready: false, why: `the observer cannot be reached: ${error.message}` });
    });
    socket.once('connect', () => {
      const about = {
        uuid: config.uuid,
        name: config.name,
        root: places.root,
        pid: process.pid,
        domid,
        runs: !spec.arrives,
      };
      socket.write(`${JSON.stringify(about)}\n`, () => {
        resolve();
      });
    });
  });
  socket.removeAllListeners('error').on('error', () => undefined);
  socket.resume();
  return socket;
}

/** The guest is gone and its disks are closed: what this process does from here on is the toolstack's part, not the domain's. */
async function leaveObserver(): Promise<void> {
  if (observer === null || observer.closed) return;
  const left = new Promise<void>((resolve) => observer.once('close', resolve));
  observer.end();
  await left;
}

function openDisks(): OpenDisk[] {
  return config.disks.flatMap(({ vdev, target, access, cdrom }, index) => {
    if (target === null) return [];
    const writable = access !== 'r' && !cdrom;
    try {
      if (spec.failDisk && index === 0) throw Object.assign(new Error('a fault on request'), { code: 'EIO' });
      return [{ vdev, file: openSync(target, writable ? constants.O_RDWR : constants.O_RDONLY), writable }];
    } catch (error) {
      say(`${vdev} cannot be opened: ${String(error)}`);
      return refuse({ ready: false, index, code: errorCode(error) ?? 'EIO' });
    }
  });
}

function answer(says: DomainAnswer): void {
  try {
    writeSync(builderFile, `${JSON.stringify(says)}\n`);
  } catch {
    // The builder is gone; reading from it will say so too.
  }
}

function refuse(says: DomainAnswer): never {
  answer(says);
  process.exit(1);
}

/** Waits for the builder's word, or for its end. */
function readBuilder(): string {
  const buffer = Buffer.alloc(16);
  try {
    return buffer.toString('utf8', 0, readSync(builderFile, buffer));
  } catch {
    return '';
  }
}

/** Changes the domain's row; false when it is no longer known. */
function changeRow(fields: Partial<DomainRow>): boolean {
  const state = new LabState(places);
  try {
    return state.change(domid, fields);
  } finally {
    state.close();
  }
}

function failingDisk(): void {
  if (takeFault(places, config.name, (fault) => fault.diskError === 'write') !== null)
    throw new Error('EIO: i/o error, write');
}

async function askedToHalt(asked: 'poweroff' | 'reboot'): Promise<void> {
  if (halting || suspended) return;
  const fault = takeFault(
    places,
    config.name,
    ({ ignoreShutdown, slowShutdownMs, rebootInsteadOfHalt, crashInsteadOfHalt }) =>
      ignoreShutdown ?? rebootInsteadOfHalt ?? crashInsteadOfHalt ?? slowShutdownMs !== undefined,
  );
  if (fault?.ignoreShutdown === true) {
    say('ignores that it was asked to shut down');
    return;
  }
  halting = true;
  await sleep(fault?.slowShutdownMs ?? settings.guestHaltMs);
  if (fault?.crashInsteadOfHalt === true) {
    guest?.suspend();
    await hasShutDown(3, config.onCrash);
  } else if (fault?.rebootInsteadOfHalt === true || asked === 'reboot') {
    guest?.halt();
    await hasShutDown(1, config.onReboot);
  } else {
    guest?.halt();
    await hasShutDown(0, config.onPoweroff);
  }
}

/** What xl's background process does when the guest has shut down. */
async function hasShutDown(reason: number, action: ShutdownAction): Promise<void> {
  say(`has shut down, reason code ${String(reason)}: ${action}`);
  if (action === 'preserve') {
    changeRow({ phase: 'shutdown', reason });
    return;
  }
  if (action === 'rename-restart') {
    const suffix = new Date().toISOString().replace(/[-:]|:\d\d\..*$/g, '');
    changeRow({ phase: 'shutdown', reason, name: `${config.name}-${suffix}` });
    await makeAgain(config);
    return;
  }
  changeRow({ phase: 'dying', reason });
  await sleep(settings.dyingMs / 2);
  for (const disk of disks) closeSync(disk.file);
  await leaveObserver();
  changeRow({ phase: 'nameless' });
  await sleep(settings.dyingMs / 2);
  const state = new LabState(places);
  state.alone(() => {
    state.remove(domid);
  });
  state.close();
  if (action === 'restart' || action === 'coredump-restart' || action === 'soft_reset') await makeAgain(config);
  process.exit(0);
}

/** Makes the domain anew, under a new domid, with the configuration that it had while it ran. */
async function makeAgain(same: GuestConfig): Promise<void> {
  const { createDomain } = await import('./create.ts');
  const state = new LabState(places);
  try {
    await createDomain(places, state, same, { paused: false, memory: null });
  } catch (error) {
    say(`could not be restarted: ${String(error)}`);
  } finally {
    state.close();
  }
}

/** For `xl save`: the guest's memory stands in a file once the row says that the domain is suspended. */
function suspendOrResume(): void {
  if (guest === null || halting) return;
  if (suspended) {
    tellObserver({ runs: true });
    changeRow({ phase: 'running', reason: null });
    suspended = false;
    guest.resume();
    return;
  }
  guest.suspend();
  suspended = true;
  tellObserver({ runs: false });
  const file = memoryFile(places, domid);
  writeFileSync(`${file}.new`, JSON.stringify(guest.memory));
  renameSync(`${file}.new`, file);
  changeRow({ phase: 'suspended', reason: 2 });
}
