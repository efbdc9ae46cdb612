/** How a payload crosses; what each is, is told where the report names it (report/words.ts). */
export const wayNames = [
  'sealed',
  'staged',
  'tunnel',
  'study-sealed',
  'study-tunnel',
  'scp',
  'sftp',
  'rsync',
  'openssl-ssh',
  'qemu-nbd-tls',
  'rclone',
  'lftp',
  'restic',
] as const;
export type WayName = (typeof wayNames)[number];
