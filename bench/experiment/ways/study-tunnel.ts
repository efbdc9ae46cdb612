import { join } from 'node:path';
import { anyPort } from '../../../infra/free-port.ts';
import { lacksOf } from './ssh-server.ts';
import { StudyVm } from './study-vm.ts';
import type { TunnelMaker } from './tunnel.ts';
import type { Way } from './way.ts';

const blockBytes = '262144';

/** The study's comparison by hand: one stream of TCP, in clear, through an IPsec tunnel that is up already. */
export function studyTunnel(maker: TunnelMaker): Way {
  return {
    name: 'study-tunnel',
    lacks: () => [...maker.lacks(), ...lacksOf({ socat: 'socat' })],
    start: async (ground) => {
      const { lab, source, destination, folder } = ground;
      const tunnel = await maker.raise(lab, join(folder, 'tunnel'));
      for (const [index, end] of [source, destination].entries())
        for (const pid of tunnel.pids[index] ?? []) end.meter.enter(pid);
      const vm = await StudyVm.make(ground);
      const [, address] = tunnel.inner;
      return {
        cross: (payload, clock, signal) =>
          vm.move(payload, clock, async () => {
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
          }),
        stop: () => tunnel.lower(),
      };
    },
  };
}
