import type { Dom0Access, RemoteDom0 } from './access.ts';
import { localDom0 } from './local.ts';
import { sshDom0 } from './ssh-dom0.ts';

let current: Dom0Access = localDom0;

/** The dom0 of this process's host: this machine, unless another one was entered. */
export function dom0(): Dom0Access {
  return current;
}

/**
 * Enters the dom0 that this process, or thread, works on from here on: null is this machine. A process serves one host, so it is entered
 * once, before anything looks at it.
 */
export function enterDom0(remote: RemoteDom0 | null): void {
  current.leave();
  current = remote === null ? localDom0 : sshDom0(remote);
}
