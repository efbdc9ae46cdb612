import type { Concern } from './survey.ts';

interface ConcernKind {
  readonly severity: Concern['severity'];
  /** What it means for the move, for the table in docs/concerns.md. */
  readonly meaning: string;
  /** What a person can do about it, when the code that raises it has nothing more exact. */
  readonly remedy?: string;
}

/**
 * Every concern that a host or a plan can have about a move; docs/concerns.md is made from this table by `npm run docs`. A name has
 * one severity, and stays.
 */
export const concernKinds = {
  // the VM and its deed
  'not-adopted': {
    severity: 'refuses',
    meaning: 'the VM has no deed on its host, so nothing says that this copy is the one that may run',
    remedy: 'sealift vm adopt VM --host HOST',
  },
  'deed-refused': {
    severity: 'refuses',
    meaning: 'the host does not hold the deed of the VM: its copy was handed over, or is still arriving',
    remedy: 'move it from the host that holds it: sealift deed show VM',
  },
  'run-open': {
    severity: 'refuses',
    meaning: 'another move of the VM is under way',
    remedy: 'wait for it, or end it: sealift abort VM',
  },
  'ends-revert': {
    severity: 'warns',
    meaning: 'the VM came by a move that can still be reverted, and cannot be any more once this one has begun',
    remedy: 'to have it as it was: sealift revert VM',
  },
  claimed: { severity: 'note', meaning: 'an operator has claimed the VM for a host in the past' },
  'held-elsewhere': {
    severity: 'refuses',
    meaning: 'a third host runs a VM of the same uuid, or holds a deed for it: Xen would let both run',
    remedy: 'compare them before one is moved: sealift vm inspect UUID --host HOST',
  },
  'seen-elsewhere': {
    severity: 'warns',
    meaning: 'a third host has a configuration of the same uuid, without a deed and not running: somebody may start it',
    remedy: 'compare them, and remove the one that is not needed: sealift vm inspect UUID --host HOST',
  },
  'not-asked': {
    severity: 'note',
    meaning: 'a third host does not answer, so nobody knows whether it has the uuid too',
  },
  // the two hosts
  'same-host': { severity: 'refuses', meaning: 'the VM is on the destination already', remedy: 'name another host' },
  'copied-host': {
    severity: 'refuses',
    meaning: 'both hosts have one identity: one is a copy of the other',
    remedy: 'a host is never cloned: run sealift host init in a fresh folder on one of them',
  },
  'unknown-peer': {
    severity: 'refuses',
    meaning: 'one of the hosts does not trust the other, or has pinned another identity for it',
    remedy: 'sealift host show there, then the sealift host trust that it prints here',
  },
  'too-old': {
    severity: 'refuses',
    meaning: 'the hosts speak different versions of the protocol',
    remedy: 'install the same version of sealift on both hosts',
  },
  'staged-unready': {
    severity: 'refuses',
    meaning: 'the method `staged` needs SSH between the hosts, and their files do not have it, or differ',
    remedy: 'use --method sealed, or see docs/hosts.md, "staged"',
  },
  'tunnel-unready': {
    severity: 'refuses',
    meaning:
      'the method `tunnel` needs strongSwan and root on both hosts, and one has them not, or wants another cipher than the other',
    remedy: 'use --method sealed, or see docs/tunnel.md, "what a host needs"',
  },
  'dom0-unready': {
    severity: 'refuses',
    meaning: "the host's worker is beside its dom0, which lacks a program that it works there by",
    remedy: 'install it there: docs/ssh.md, "what dom0 needs"',
  },
  'older-xen': {
    severity: 'warns',
    meaning:
      'the destination runs an older Xen. A guest that is shut down and boots there does not mind in most cases, but settings that its xl does not know are passed over without a word, and the guest may miss features of the processor',
    remedy: 'try the configuration there first (xl create -n), or bring Xen up to date',
  },
  'guest-type': {
    severity: 'refuses',
    meaning:
      'the Xen of the destination runs no guests of this type: no HVM or PVH without VT-x or AMD-V, no PV in a Xen that was built without it',
    remedy: 'turn virtualisation on in the firmware of the destination, or choose another host',
  },
  // memory
  'no-memory': {
    severity: 'refuses',
    meaning: 'the VM runs, would be started at the destination, and Xen there has not the memory for it',
    remedy: 'free memory there, or shut the VM down first: a stopped VM needs none',
  },
  'dom0-shrinks': {
    severity: 'warns',
    meaning:
      "the memory is there only when the destination's dom0 gives up some of its own, as its xl will ask (autoballoon); a dom0 that keeps it fails the start",
    remedy: 'free memory there; give dom0 a fixed size (dom0_mem= on the command line of Xen)',
  },
  'memory-promised': {
    severity: 'warns',
    meaning: 'there is memory for this VM, but not for those as well that are on their way to the same host',
    remedy: 'free memory there, or move one after the other',
  },
  'no-claim': {
    severity: 'note',
    meaning:
      'xl.conf of the destination has claim_mode=0: xl takes memory bit by bit, so of two VMs that start at once one may fail halfway',
  },
  ballooned: {
    severity: 'note',
    meaning: 'maxmem is above memory: the destination needs the room when the guest grows',
  },
  'ballooned-hvm': {
    severity: 'warns',
    meaning: 'maxmem is above memory: an HVM guest without a balloon driver crashes while it starts',
    remedy: 'set memory to maxmem',
  },
  // moves that keep memory
  'memory-not-running': {
    severity: 'refuses',
    meaning: 'memory is to be kept, and the VM does not run: only a running guest can be saved',
    remedy: 'move it without --keep-memory',
  },
  'memory-older-xen': {
    severity: 'refuses',
    meaning: 'memory is to be kept, and the destination runs an older Xen, which does not take it',
    remedy: 'move it without its memory, by sealed',
  },
  'memory-cpu': {
    severity: 'refuses',
    meaning:
      'memory is to be kept, and processors of the destination lack features that the guest has found at the source, and may use at any moment',
    remedy:
      'move it without its memory, by sealed; or have Xen hide them from all guests at the source (cpuid=), and start it anew',
  },
  'live-disk': {
    severity: 'refuses',
    meaning: 'it is to be moved live, and a disk is not on a LUN that both hosts reach',
    remedy: 'put all of its disks on LUNs, or move it by sealed',
  },
  'live-not-running': {
    severity: 'refuses',
    meaning: 'it is to be moved live, and does not run',
    remedy: 'start it, or move it by sealed',
  },
  'live-guest-type': {
    severity: 'refuses',
    meaning:
      "it is to be moved live, and the source's Xen cannot log which pages guests of its type write; Debian's cannot for PV",
    remedy: 'move it by sealed',
  },
  'live-beside': {
    severity: 'refuses',
    meaning:
      'it is to be moved live, and the worker of a host enters its dom0 as a user who is not root (access = "ssh")',
    remedy: 'enter dom0 as root, or run the worker there; or move it by sealed',
  },
  'memory-unmovable': {
    severity: 'refuses',
    meaning: 'memory is to be kept, and Xen does not save this VM: nomigrate is set, or it has a virtual NUMA layout',
    remedy: 'move it without --keep-memory',
  },
  'memory-no-room': {
    severity: 'refuses',
    meaning: 'memory is to be kept, and a state folder has no room for its image',
    remedy: 'free space there, or move it without --keep-memory',
  },
  // processors
  'more-vcpus': {
    severity: 'warns',
    meaning: 'the VM has more virtual processors than the destination has processors: it runs, and slowly',
    remedy: 'lower vcpus',
  },
  'pinned-cpus': {
    severity: 'warns',
    meaning: 'processors or NUMA nodes of this machine are named; at the destination the same numbers mean others',
    remedy: 'remove the setting, or see that its numbers fit there',
  },
  'no-such-cpus': {
    severity: 'refuses',
    meaning: 'the destination has none of the processors that the VM is pinned to: xl does not start it',
    remedy: 'change cpus and start the VM anew',
  },
  vnuma: { severity: 'warns', meaning: 'the virtual NUMA layout was made for this machine' },
  'no-such-node': {
    severity: 'refuses',
    meaning: 'the virtual NUMA layout names a node that the destination does not have: xl does not start it',
    remedy: 'change vnuma and start the VM anew',
  },
  cpuid: { severity: 'note', meaning: 'features of the processor are set by hand; the destination may lack them' },
  'cpu-mask': {
    severity: 'note',
    meaning: 'xl.conf of this host confines its guests to some processors; that does not go along',
  },
  // grants
  'grant-limit': {
    severity: 'warns',
    meaning:
      'the VM asks for more grant or maptrack frames than the Xen of the destination gives a guest (gnttab_max_frames, gnttab_max_maptrack_frames); before 4.18 it may not start such a guest',
    remedy: 'raise the limit on the command line of Xen there, or lower the setting',
  },
  'grant-default': {
    severity: 'note',
    meaning:
      'the configuration says nothing of grant frames, and xl.conf of the destination has a value of its own: the number of disks and vifs that a guest can have depends on it',
  },
  // disks
  'no-disk': {
    severity: 'refuses',
    meaning: 'the VM has no disk to move',
    remedy: 'give it one, or start it anew at the destination',
  },
  'disk-missing': { severity: 'refuses', meaning: 'a disk of the configuration is not there', remedy: 'correct disk=' },
  'disk-unreadable': {
    severity: 'refuses',
    meaning: 'a disk cannot be opened or measured, or a loop device does not say by what file',
    remedy: 'look at it on its host: sealift vm inspect VM',
  },
  'disk-format': {
    severity: 'refuses',
    meaning: 'a disk is of another format than raw, or is given as raw and holds an image of another format',
    remedy: 'shut the VM down and make the disk raw: qemu-img convert -O raw',
  },
  'qcow2-dirty': {
    severity: 'warns',
    meaning:
      'a qcow2 image is marked as dirty or corrupt: it is in use, or was not closed. What is converted from it may be damaged',
    remedy: 'shut the VM down, then qemu-img check -r all, then convert it',
  },
  'disk-script': {
    severity: 'refuses',
    meaning: 'a disk is made by a script, which cannot be followed',
    remedy: 'attach it without script=',
  },
  'disk-driver-domain': {
    severity: 'refuses',
    meaning: 'a disk is served by another domain than dom0',
    remedy: 'serve it from dom0',
  },
  'disk-read-only': {
    severity: 'refuses',
    meaning: 'a disk is read-only, so other VMs may have it too',
    remedy: 'give the VM a disk of its own, access w',
  },
  'disk-shared': {
    severity: 'refuses',
    meaning: 'a disk may be written by others too (access w!), or another VM of the host uses it',
    remedy: 'let one VM have it, access w',
  },
  'odd-vdev': { severity: 'refuses', meaning: 'a disk has a name that cannot be moved', remedy: 'set vdev=, as xvda' },
  'odd-size': { severity: 'note', meaning: 'a disk is not a whole number of sectors' },
  'fence-failed': {
    severity: 'refuses',
    meaning: 'a disk cannot be made to refuse writers on its host, so two copies might be written',
    remedy: 'put it on a file system that has immutable files (ext4, XFS, Btrfs), or on a logical volume',
  },
  'disk-busy': {
    severity: 'refuses',
    meaning: 'a disk is open on its host beside the VM: mounted, perhaps, or given to another VM',
    remedy: 'unmount it, or end what has it open',
  },
  'iscsi-failed': {
    severity: 'refuses',
    meaning: 'the host has no iSCSI initiator or no sg3-utils, or a command of theirs failed, and a disk is a LUN',
    remedy: 'install open-iscsi and sg3-utils, and see that the target answers',
  },
  'lun-missing': {
    severity: 'refuses',
    meaning: 'a disk of the VM is a LUN of an iSCSI target, and the destination does not reach it',
    remedy: 'name the target in the file of the destination ([[iscsi]]), and let its initiator in at the target',
  },
  'lun-mixed': {
    severity: 'refuses',
    meaning:
      'some disks of the VM are LUNs, which stay where they are, and others would be copied: after a revert they would be of two moments',
    remedy: 'put all of its disks on LUNs, or none',
  },
  'lun-name': {
    severity: 'warns',
    meaning:
      'the configuration names a LUN by a device that may be another disk after a boot, also when the VM is to come back',
    remedy: 'name it as in /dev/disk/by-id, and start the VM anew',
  },
  'lun-forgetful': {
    severity: 'warns',
    meaning:
      'the target of a LUN forgets its reservations when it is started anew: until the host that may run the VM reserves it again, nothing keeps other hosts out',
    remedy: 'do not restart the target while the VM moves, or is kept for a revert',
  },
  'lvm-failed': {
    severity: 'refuses',
    meaning: 'the host has no LVM, or a command of LVM failed there, and a disk or the pool is a logical volume',
    remedy: 'install lvm2, and see what lvs says there',
  },
  'cdrom-image': {
    severity: 'warns',
    meaning: 'a drive holds an image of its host; where the destination does not map it, the drive arrives empty',
    remedy: 'eject it, or map it in the file of the destination ([xen.paths])',
  },
  'cdrom-emptied': {
    severity: 'warns',
    meaning: 'the destination does not map the image in a drive: the drive arrives empty',
    remedy: 'put the image there and map it in the file of the destination ([xen.paths]), or eject it',
  },
  'no-space': {
    severity: 'refuses',
    meaning: 'no pool of the destination has room for the disks, with what other moves to it still need',
    remedy: 'free space, or choose another pool (--pool)',
  },
  'saved-image': {
    severity: 'refuses',
    meaning: 'xendomains keeps a saved image of the VM, whose memory is older than its disks',
    remedy: 'restore it or remove it: xl restore, or rm of the image in /var/lib/xen/save',
  },
  'disk-not-landed': { severity: 'refuses', meaning: 'the configuration names a disk that did not cross' },
  'disk-unnamed': { severity: 'refuses', meaning: 'a disk crossed that the configuration does not name' },
  // network
  'mac-random': {
    severity: 'note',
    meaning: 'a vif has no MAC address, so each start drew another; it is pinned now',
  },
  'mac-taken': {
    severity: 'refuses',
    meaning: 'another VM of the destination, running or not, has a MAC address of this one',
    remedy: 'give one of the two another mac= and start it anew',
  },
  'bridge-unmapped': {
    severity: 'refuses',
    meaning: 'a vif is on a bridge that the destination has no name for, and it has no default one',
    remedy: 'map it in the file of the destination ([xen.bridges])',
  },
  'bridge-defaulted': {
    severity: 'warns',
    meaning:
      'a vif is on a bridge that the destination has no name for; it gets the default one, perhaps another network',
    remedy: 'map the bridge in the file of the destination ([xen.bridges])',
  },
  'bridge-missing': {
    severity: 'refuses',
    meaning: 'the bridge that a vif would be on is not there',
    remedy: 'make the bridge, or map to another one in the file of the destination ([xen.bridges])',
  },
  'vif-script': {
    severity: 'warns',
    meaning: 'a vif is set up by a script of its host, which the destination has to allow',
    remedy: 'allow it in the file of the destination ([xen.allow] vif_scripts)',
  },
  'vif-script-not-allowed': {
    severity: 'refuses',
    meaning: 'the destination does not allow the script of a vif: it would run in its dom0',
    remedy: 'allow it in the file of the destination ([xen.allow] vif_scripts)',
  },
  'vif-default-script': {
    severity: 'warns',
    meaning:
      "xl.conf of one of the hosts sets up vifs by another script than Xen's own (vif.default.script); the other host may do it in another way",
    remedy: 'compare vif.default.script in /etc/xen/xl.conf of both hosts',
  },
  'vif-driver-domain': {
    severity: 'warns',
    meaning: 'a vif is served by another domain than dom0; at the destination dom0 serves it',
  },
  'vif-attached': {
    severity: 'warns',
    meaning: 'the running VM has another number of vifs than its configuration: those of the configuration arrive',
    remedy: 'bring the configuration up to date (vif=)',
  },
  // what the VM has of its host
  'dom0-setting': {
    severity: 'warns',
    meaning: 'a setting names a file, a program or a device of its host; the destination maps it, drops it or refuses',
    remedy: 'see what the destination does with it in sealift plan; map it there ([xen.paths])',
  },
  'setting-dropped': {
    severity: 'warns',
    meaning:
      'a setting names a file, a program or a device of the source that the VM can start without, and the destination does not map it: the VM arrives without the setting',
    remedy: 'map it in the file of the destination ([xen.paths]), when the guest needs it',
  },
  'unmapped-file': {
    severity: 'refuses',
    meaning: 'the VM boots from a file of its host (kernel, ramdisk, firmware), and the destination does not map it',
    remedy: 'map it in the file of the destination ([xen.paths])',
  },
  'dom0-file-missing': {
    severity: 'refuses',
    meaning: 'a file that the VM needs (kernel, ramdisk, firmware, ISO image, script) is mapped, and not there',
    remedy: 'put the file there, or map to another one in the file of the destination ([xen.paths])',
  },
  'bootloader-not-allowed': {
    severity: 'refuses',
    meaning:
      "the bootloader (pygrub) would read the guest's disk in dom0 as root, and the destination does not allow that",
    remedy: 'allow it in the file of the destination ([xen.allow] bootloaders), or boot by pvgrub or type="pvh"',
  },
  'bootloader-missing': {
    severity: 'warns',
    meaning: 'the destination allows the bootloader, and it is not found where Xen keeps its programs nor on PATH',
    remedy: 'install it (Debian: xen-utils)',
  },
  passthrough: {
    severity: 'refuses',
    meaning: 'a device of this machine is given to the guest (PCI, USB, SCSI, memory, ports)',
    remedy: 'remove the setting and start the VM anew',
  },
  'device-attached': {
    severity: 'warns',
    meaning:
      'a device of this machine was given to the running guest, and is not in its configuration: it stays behind',
    remedy: 'detach it first: xl pci-detach, xl usbdev-detach',
  },
  vtpm: {
    severity: 'refuses',
    meaning: 'the keys in a virtual TPM would stay behind',
    remedy: 'remove the setting and start the VM anew, when the guest can do without those keys',
  },
  'shared-folder': {
    severity: 'refuses',
    meaning: 'a folder of this host is shared with the guest (p9)',
    remedy: 'remove the setting and start the VM anew',
  },
  'host-service': {
    severity: 'refuses',
    meaning: 'a service of this host answers the guest (pvcalls, virtio)',
    remedy: 'remove the setting and start the VM anew',
  },
  'no-migrate': {
    severity: 'warns',
    meaning:
      'nomigrate is set: the owner says that this VM does not move. A VM that is shut down and started elsewhere can all the same',
    remedy: 'ask the owner',
  },
  clock: {
    severity: 'note',
    meaning: "a setting ties the guest's clock to its host: localtime is another time in another time zone",
  },
  // how the VM ends
  'comes-back': {
    severity: 'refuses',
    meaning: 'on_poweroff restarts the VM when it shuts down',
    remedy: 'set on_poweroff="destroy" and start it anew',
  },
  'kept-domain': {
    severity: 'note',
    meaning: 'on_poweroff keeps the domain after it has shut down; it is destroyed then',
  },
  renamed: { severity: 'note', meaning: 'rename-restart leaves an old domain beside the new one' },
  'running-config-unknown': {
    severity: 'warns',
    meaning: "what xl tells of the running domain's configuration does not parse",
    remedy: 'compare it with the file: xl list -l VM',
  },
  // names and configuration
  'no-name': { severity: 'refuses', meaning: 'the configuration names no VM', remedy: 'set name=' },
  'odd-name': {
    severity: 'refuses',
    meaning: "the VM's name has characters that cannot be moved",
    remedy: 'xl rename, and set name=',
  },
  'bad-uuid': { severity: 'refuses', meaning: 'the uuid is none that xl reads', remedy: 'set uuid=' },
  'uuid-random': {
    severity: 'note',
    meaning: 'no uuid is set, so each start drew another; it is pinned now',
  },
  'name-taken': {
    severity: 'refuses',
    meaning: 'the destination has a domain, a configuration, a saved image or a deed of the same name or uuid',
    remedy: 'rename one of them, or remove the one that is not needed',
  },
  'config-syntax': {
    severity: 'refuses',
    meaning: 'the configuration cannot be read as a whole, or does not say what the running domain is',
    remedy: 'correct the configuration; xl create -n shows what xl makes of it',
  },
  'config-change': { severity: 'note', meaning: 'what the destination will change in the configuration' },
} as const satisfies Record<string, ConcernKind>;

export type ConcernName = keyof typeof concernKinds;

/** What is known of a concern. */
export function concernKind(name: ConcernName): ConcernKind {
  return concernKinds[name];
}
