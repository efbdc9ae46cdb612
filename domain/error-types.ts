interface ErrorKind {
  /** What has happened, for the table in docs/errors.md. */
  readonly meaning: string;
  /** What a person can do about it, when the thrower has nothing more exact. */
  readonly hint?: string;
  /** Whether trying the same again may help without anybody doing anything. */
  readonly retryable?: true;
  /** The command line's exit code; see docs/cli.md. Default 1. */
  readonly exitCode?: 2 | 3 | 4 | 5;
}

/** Every error type of Sealift; docs/errors.md is made from this table by `npm run docs`. */
export const errorTypes = {
  // wrong use
  'bad-usage': { meaning: 'the command or the call was given something it cannot take', exitCode: 2 },
  'bad-config': { meaning: "a host's file or a setting does not parse or does not fit its schema", exitCode: 2 },
  // refused before anything changed
  'unknown-vm': { meaning: 'no VM of that name or uuid is on the host', exitCode: 3 },
  'vm-aside': {
    meaning: 'the host holds the VM, but it lies where a move has put it: its configuration is not in use',
    exitCode: 3,
  },
  'unknown-host': { meaning: 'no host of that name has ever registered', exitCode: 3 },
  'unknown-run': { meaning: 'the host knows no run of that migration', exitCode: 3 },
  'not-adopted': {
    meaning: 'the VM has no deed record on the host',
    hint: 'adopt it on the host where it runs: sealift vm adopt VM --host HOST',
    exitCode: 3,
  },
  'adoption-refused': {
    meaning: 'a mark, a record or a saved image says that another host may hold the VM, or a host cannot be asked',
    exitCode: 3,
  },
  'already-migrating': { meaning: 'another migration of the VM is open', exitCode: 3 },
  ended: { meaning: 'the move, revert or finish has ended; there is nothing left to steer', exitCode: 3 },
  'run-open': { meaning: 'the source has an open run for another migration of the VM', exitCode: 3 },
  'run-closed': {
    meaning: 'the run was aborted or superseded, or its VM was moved on; its migration cannot go on',
    exitCode: 3,
  },
  'preflight-refused': { meaning: 'the plan has concerns that refuse the move', exitCode: 3 },
  'no-space': {
    meaning: 'the pool cannot hold the disks',
    hint: 'free space or choose another pool (--pool)',
    exitCode: 3,
  },
  'no-memory': {
    meaning: 'the destination has not the memory that the VM takes when it is started there',
    hint: 'free memory there, or shut the VM down first: a stopped VM needs none',
    exitCode: 3,
  },
  'name-taken': {
    meaning: 'the destination has a domain, a configuration or a saved image of that name or uuid',
    exitCode: 3,
  },
  'disk-missing': { meaning: 'a disk named by the configuration is not there', exitCode: 3 },
  'disk-unreadable': { meaning: 'a disk cannot be opened or read', exitCode: 3 },
  'disk-shared': { meaning: 'a disk is shared, read-only or used by two VMs', exitCode: 3 },
  'disk-format': { meaning: 'a disk is of a format that cannot be moved', exitCode: 3 },
  'unknown-peer': {
    meaning: 'the other host is not among the trusted peers',
    hint: 'exchange identities: sealift host show there, sealift host trust here',
    exitCode: 3,
  },
  'unknown-operator': {
    meaning: "a claim is signed by nobody whom the host's file names as an operator",
    hint: 'pin the operator in the file of each host: [[operator]] with name and identity',
    exitCode: 3,
  },
  'config-syntax': { meaning: 'an xl configuration does not parse', exitCode: 3 },
  'too-old': { meaning: 'the two hosts speak versions too far apart', exitCode: 3 },
  'abort-refused': {
    meaning: 'the deed was already ceded',
    hint: 'the VM belongs to the destination now; bring it back with: sealift revert VM',
    exitCode: 3,
  },
  claimed: {
    meaning: 'an operator has claimed the VM for a host since; what this move or revert was about is over',
    hint: 'see where it is now: sealift deed show VM',
    exitCode: 3,
  },
  'revert-refused': { meaning: 'the VM cannot go back from here', exitCode: 3 },
  'confirmation-mismatch': { meaning: 'the typed name is not the name of the VM', exitCode: 3 },
  // waits for a person
  'guest-stuck': { meaning: 'the guest did not shut down in its time', exitCode: 4 },
  'unknown-state': {
    meaning: 'records, marks and domains disagree, so nothing is done',
    hint: 'compare both hosts: sealift vm inspect VM --host HOST',
    exitCode: 4,
  },
  'window-passed': { meaning: 'the cutover window ended before the cutover could begin', exitCode: 3 },
  // cannot be reached
  'temporal-away': {
    meaning: 'no Temporal server answers at the address',
    hint: 'start one (sealift up), or name yours by TEMPORAL_ADDRESS or a profile',
    exitCode: 5,
  },
  'host-away': { meaning: "the host's worker does not poll its task queue", retryable: true, exitCode: 5 },
  'host-busy': { meaning: 'as many moves as the host allows are under way', retryable: true, exitCode: 5 },
  'landing-away': { meaning: "the destination's landing cannot be reached or broke off", retryable: true, exitCode: 5 },
  'dom0-away': {
    meaning: 'the dom0 that a host works on cannot be entered by SSH, or lacks a program',
    retryable: true,
    exitCode: 5,
  },
  'tunnel-unready': {
    meaning:
      'a host cannot be the end of an IPsec tunnel: no strongSwan answers there, or a right or a cipher is missing',
    hint: 'see docs/tunnel.md, "what a host needs"; or use --method sealed',
    exitCode: 3,
  },
  'tunnel-leaks': {
    meaning: 'what is meant for the IPsec tunnel would get out, or gets out, beside it; the move was ended',
    hint: 'see docs/tunnel.md, "beside the tunnel"',
    exitCode: 3,
  },
  'tunnel-down': {
    meaning: 'the IPsec tunnel between the hosts is down, or does not come up',
    retryable: true,
    exitCode: 5,
  },
  'ssh-failed': { meaning: 'the SSH server cannot be reached or refuses', retryable: true, exitCode: 5 },
  // the promise
  'deed-refused': { meaning: 'a step was asked for that the record of the deed does not permit' },
  'bad-statement': { meaning: 'a statement is not signed by the peer it names, or names something else' },
  'bad-frame': { meaning: 'bytes from the network do not parse or do not belong to the run' },
  'tag-mismatch': { meaning: 'a sealed record does not verify under its session' },
  'bad-container': { meaning: 'a container file is cut short, changed, or of another run' },
  'manifest-mismatch': { meaning: "the destination's disks are not what the source's manifest says" },
  'memory-missing': {
    meaning: 'the destination does not have the memory of a guest that was handed over to it',
    hint: 'nothing is lost: it goes on where it was; move it again',
  },
  'stale-session': { meaning: 'the frame belongs to an older session of the run' },
  'fence-failed': { meaning: 'the storage cannot be made to refuse writers' },
  'vm-running': { meaning: 'the VM has a domain where it must have none', retryable: true },
  'disk-busy': { meaning: 'a process still holds the disk open', retryable: true },
  'intent-open': { meaning: 'a command that was begun on the VM earlier has not ended', retryable: true },
  // the machine
  'state-locked': { meaning: 'another process owns the state of this host, or these results', exitCode: 3 },
  'machine-lacks': { meaning: 'this machine has not what the experiment needs', exitCode: 3 },
  'plan-changed': { meaning: "an experiment's results were begun by a plan that says something else", exitCode: 3 },
  'copied-host': {
    meaning: 'this state folder or identity belongs to another host',
    hint: 'a host is never cloned: run sealift host init in a fresh folder',
    exitCode: 3,
  },
  'port-taken': { meaning: "the landing's port is in use", exitCode: 3 },
  'disk-io': { meaning: 'reading or writing a disk failed', retryable: true },
  'disk-full': { meaning: 'a pool, or another folder that a host writes to, is full', retryable: true },
  'disk-changed': { meaning: 'a disk changed its size or went away while it was read' },
  'vm-changed': {
    meaning: "the VM's disks, configuration or autostart were changed after its move was opened",
    hint: 'it is as it was: move it again',
    exitCode: 3,
  },
  'xl-failed': { meaning: 'an xl command failed', retryable: true },
  'lvm-failed': { meaning: 'a command of LVM failed, or LVM is not there', retryable: true },
  'iscsi-failed': {
    meaning: 'a command of the iSCSI initiator or of SCSI failed, or the programs are not there',
    hint: 'see that the target answers, and that open-iscsi and sg3-utils are installed',
    retryable: true,
  },
  'xl-hangs': { meaning: 'an xl command did not end within its time limit', retryable: true },
  'probe-failed': { meaning: 'the VM was started but did not pass its probe', exitCode: 4 },
  left: {
    meaning: 'a person ended the migration after the deed was ceded, before the VM ran at the destination',
    hint: 'bring the VM back with: sealift revert VM',
    exitCode: 4,
  },
  cancelled: { meaning: 'the migration was aborted before the deed was ceded' },
  internal: { meaning: 'a defect in Sealift' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorType = keyof typeof errorTypes;

export function isErrorType(type: unknown): type is ErrorType {
  return typeof type === 'string' && Object.hasOwn(errorTypes, type);
}

/** What is known of an error type. */
export function errorKind(type: ErrorType): ErrorKind {
  return errorTypes[type];
}
