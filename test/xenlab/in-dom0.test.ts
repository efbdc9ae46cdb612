import { moves } from './moves.ts';
import { onXen } from './two-hosts.ts';

onXen('workers in their dom0s on real Xen', (xen) => {
  moves.stagedVolume(xen);
  moves.sealedThereAndBack(xen);
  moves.withItsMemory(xen, 'pv');
});
