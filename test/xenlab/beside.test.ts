import { moves } from './moves.ts';
import { onXen } from './two-hosts.ts';

// Source and destination do everything that a host does, so with one of each kind every move tries both.
onXen(
  'a worker beside its dom0, and one in it, on real Xen',
  (xen) => {
    moves.stagedVolume(xen);
    moves.withItsMemory(xen, 'pvh');
  },
  { beside: ['xen-1'] },
);
