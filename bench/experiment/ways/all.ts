import type { WayName } from '../way-names.ts';
import { pullPeers } from './pull-peers.ts';
import { qemuNbd } from './qemu-nbd.ts';
import { restic } from './restic.ts';
import { sealiftWays } from './sealift.ts';
import { sshPeers } from './ssh-peers.ts';
import { studySealed } from './study-sealed.ts';
import { studyTunnel } from './study-tunnel.ts';
import type { Way } from './way.ts';

const all: Way[] = [...sealiftWays, studySealed, studyTunnel, ...sshPeers, ...pullPeers, qemuNbd, restic];

/** The way of that name. */
export function wayOf(name: WayName): Way {
  const found = all.find((way) => way.name === name);
  if (found === undefined) throw new Error(`no way is ${name}`);
  return found;
}
