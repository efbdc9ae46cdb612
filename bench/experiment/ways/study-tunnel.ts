import { anyPort } from '../../../infra/free-port.ts';
import { charonMissing } from '../../../infra/lab/wan/charon.ts';
import { raiseSiteTunnel } from '../../../infra/lab/wan/site-tunnel.ts';
import { lacksOf } from './ssh-server.ts';
import { StudyVm } from './study-vm.ts';
import type { Way } from './way.ts';

const blockBytes = '262144';

/** The study's comparison by hand: one stream of TCP, in clear, through an IPsec tunnel that is up already. */
export const studyTunnel: Way = {
  name: 'study-tunnel',
  lacks: () => [...(charonMissing === null ? [] : [charonMissing]), ...lacksOf({ socat: 'socat' })],
  start: async (ground) => {
    const { lab, source, destination } = ground;
    const tunnel = await raiseSiteTunnel(lab, await ground.strongSwan());
    const vm = await StudyVm.make(ground);
    const [, address] = tunnel.inner;
    return {
      cross: async (payload, clock, signal) => {
        await ground.strongSwan();
        await vm.move(payload, clock, async () => {
          const port = await anyPort();
          const listen = `TCP-LISTEN:${String(port)},bind=${address}`;
          const sink = ['-u', '-b', blockBytes, listen, `CREATE:${vm.destinationDisk}`];
          const taking = await clock.outside(() => destination.serve('socat', sink, port, signal));
          try {
            const from = ['-u', '-b', blockBytes, `OPEN:${vm.sourceDisk},rdonly`, `TCP:${address}:${String(port)}`];
            await clock.bytes('copy', async () => {
              await source.run('socat', from, { signal });
              await taking.ended;
            });
            await clock.bytes('sync', () => destination.sync(vm.destinationDisk));
          } finally {
            await taking.stop();
          }
        });
      },
      stop: () => tunnel.lower(),
    };
  },
};
