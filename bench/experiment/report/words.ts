import type { WayName } from '../way-names.ts';

/** What each way is, for somebody who reads its name for the first time, and its colour and mark in all figures: those that stand in one plan have different ones. */
export const wayWords: Record<WayName, { look: number; label: string; what: string }> = {
  sealed: {
    look: 0,
    label: 'Sealift sealed',
    what: 'a whole move by Sealift, its default: read, seal, send by many streams, verify, write and read back at once',
  },
  staged: {
    look: 1,
    label: 'Sealift staged',
    what: 'a whole move by Sealift, one step after the other: encrypt into a file, copy it by SFTP, decrypt',
  },
  tunnel: {
    look: 3,
    label: 'Sealift tunnel',
    what: 'a whole move by Sealift inside an IPsec tunnel, which alone encrypts',
  },
  'study-sealed': {
    look: 2,
    label: 'encrypt → scp → decrypt',
    what: 'the study’s proposal by hand: xl shutdown, openssl enc -aes-256-ctr into a file, scp of it, openssl enc -d, xl create',
  },
  'study-tunnel': {
    look: 4,
    label: 'IPsec tunnel',
    what: 'the study’s comparison by hand: xl shutdown, one stream of TCP through an IPsec tunnel, xl create',
  },
  scp: { look: 5, label: 'scp', what: 'a copy of the image by OpenSSH’s scp, aes256-gcm' },
  sftp: { look: 6, label: 'sftp', what: 'a copy by OpenSSH’s sftp with its 64 requests at once, aes256-gcm' },
  rsync: { look: 7, label: 'rsync', what: 'a copy by rsync --whole-file over ssh, aes256-gcm' },
  'openssl-ssh': { look: 8, label: 'openssl | ssh', what: 'openssl enc piped through ssh into openssl enc -d' },
  'qemu-nbd-tls': {
    look: 4,
    label: 'qemu-img over NBD, TLS',
    what: 'qemu-img convert -m 8 into a qemu-nbd by TLS; it leaves zeros out',
  },
  rclone: {
    look: 1,
    label: 'rclone, 16 streams',
    what: 'rclone copyto from an SSH server at the source, multi-thread',
  },
  lftp: { look: 2, label: 'lftp pget -n 16', what: 'lftp pget from an SSH server at the source, 16 connections' },
  restic: {
    look: 3,
    label: 'restic over sftp',
    what: 'restic backup into a new repository at the destination, then restore there; it compresses and leaves out repeats',
  },
};

/** The steps of a way, as the figures tell them apart, and which of the phases each is. */
export const steps: readonly { name: string; phases: readonly string[] }[] = [
  { name: 'survey, plan, open', phases: ['survey', 'plan', 'open', 'gate'] },
  { name: 'shut down', phases: ['shut down'] },
  { name: 'fence', phases: ['fence'] },
  { name: 'encrypt', phases: ['encrypt'] },
  { name: 'copy', phases: ['copy', 'move'] },
  { name: 'decrypt', phases: ['decrypt'] },
  { name: 'sync, read back', phases: ['sync', 'ready'] },
  { name: 'hand over', phases: ['cede'] },
  { name: 'restart', phases: ['restart'] },
  { name: 'probe, receipt', phases: ['probe', 'receipt'] },
];
