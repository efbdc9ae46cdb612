import type { RunOutcome } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import type { IscsiTarget } from '../domain/host-file.ts';
import type { Environment } from './lvm.ts';

/** A session of dom0 with a target. */
export interface IscsiSession extends IscsiTarget {
  id: number;
  /** open-iscsi's name for how it was logged in. */
  iface: string;
  initiator: string;
  /** The kernel's names of its disks: `sda`, … */
  disks: string[];
  /** It is up, and so is each of its disks. */
  whole: boolean;
}

/** Logging in waits for a target that does not answer. */
const commandLimitMs = 60_000;
/** `ISCSI_ERR_SESS_EXISTS` and `ISCSI_ERR_NO_OBJS_FOUND` of iscsiadm(8). */
const sessionExists = 15;
const nothingFound = 21;

/** The iface of open-iscsi by which an administrator's own sessions are made. */
export const ownIface = 'default';
/** That of the sessions which only reserve LUNs for nobody. */
export const fenceIface = 'sealift-fence';

/** All sessions of dom0; none where it has no initiator. Throws `iscsi-failed`. */
export async function sessions(): Promise<IscsiSession[]> {
  const { ended, exitCode, stdout, stderr } = await iscsiadm(['-m', 'session', '-P', '3']);
  if (ended === 'missing' || exitCode === nothingFound) return [];
  if (exitCode !== 0) throw failed('to list sessions', stderr);
  return parseSessions(stdout);
}

/** What `iscsiadm -m session -P 3` says. */
export function parseSessions(text: string): IscsiSession[] {
  const found: IscsiSession[] = [];
  let name = '';
  let portal = '';
  for (const line of text.split('\n')) {
    const [, key = '', value = ''] =
      /^\s*(Target|Persistent Portal|Iface Name|Iface Initiatorname|SID|iSCSI Session State): (\S+)/.exec(line) ?? [];
    const last = found.at(-1);
    if (key === 'Target') name = value;
    else if (key === 'Persistent Portal') portal = value.replace(/,\d+$/, '');
    else if (key === 'Iface Name')
      found.push({ name, portal, iface: value, initiator: '', id: -1, disks: [], whole: false });
    else if (key === 'Iface Initiatorname' && last !== undefined) last.initiator = value;
    else if (key === 'SID' && last !== undefined) last.id = Number(value);
    else if (key === 'iSCSI Session State' && last !== undefined) last.whole = value === 'LOGGED_IN';
    const [, disk, state] = /^\s*Attached scsi disk (\S+)\s+State: (\S+)/.exec(line) ?? [];
    if (disk === undefined || last === undefined) continue;
    if (state === 'running') last.disks.push(disk);
    else last.whole = false;
  }
  return found;
}

/** Logs in to a target, which may be done already; by another iface than the usual one not again at a boot. Throws `iscsi-failed`. */
export async function login(target: IscsiTarget, iface: string, env: Environment = {}): Promise<void> {
  const node = nodeOf(target, iface);
  const known = await iscsiadm(node, env);
  if (known.exitCode === nothingFound) await must([...node, '--op=new'], env);
  if (iface !== ownIface) await must([...node, '--op=update', '-n', 'node.startup', '-v', 'manual'], env);
  const { exitCode, stderr } = await iscsiadm([...node, '--login'], env);
  if (exitCode !== 0 && exitCode !== sessionExists) throw failed('to log in', stderr);
}

/** Ends a session and forgets how it was made, whoever uses a disk of it. Throws `iscsi-failed`. */
export async function logout({ id, iface, ...target }: IscsiSession, env: Environment = {}): Promise<void> {
  const { exitCode, stderr } = await iscsiadm(['-m', 'session', '-r', String(id), '--logout'], env);
  if (exitCode !== 0 && exitCode !== nothingFound) throw failed('to log out', stderr);
  await forgetNode(target, iface, env);
}

/** Forgets how a target is logged in to; it need not be known. */
export async function forgetNode(target: IscsiTarget, iface: string, env: Environment): Promise<void> {
  await iscsiadm([...nodeOf(target, iface), '--op=delete'], env);
}

/** Has the kernel look for disks that a target has got since the login. Throws `iscsi-failed`. */
export async function rescan({ id }: IscsiSession): Promise<void> {
  await must(['-m', 'session', '-r', String(id), '--rescan']);
}

/** Makes sure of an iface by which sessions have another initiator's name. Throws `iscsi-failed`. */
export async function makeIface(name: string, initiator: string, env: Environment): Promise<void> {
  await iscsiadm(['-m', 'iface', '-I', name, '--op=new'], env);
  await must(['-m', 'iface', '-I', name, '--op=update', '-n', 'iface.initiatorname', '-v', initiator], env);
}

function nodeOf({ name, portal }: IscsiTarget, iface: string): string[] {
  return ['-m', 'node', '-T', name, '-p', portal, '-I', iface];
}

async function must(args: string[], env: Environment = {}): Promise<void> {
  const { ended, exitCode, stderr } = await iscsiadm(args, env);
  if (ended === 'missing')
    throw new SealiftError('iscsi-failed', 'this host has no iSCSI initiator', { hint: 'install open-iscsi' });
  if (exitCode !== 0) throw failed(`--mode ${args[1] ?? ''}`, stderr);
}

function iscsiadm(args: string[], env: Environment = {}): Promise<RunOutcome> {
  return dom0().run(['iscsiadm', ...args], { limitMs: commandLimitMs, env });
}

/** What iscsiadm complains of names targets and addresses, which are for the host's own log. */
function failed(what: string, stderr: string): SealiftError {
  const cause = new Error(stderr.trim().slice(0, 400));
  return new SealiftError('iscsi-failed', `iscsiadm failed ${what}`, { cause });
}
