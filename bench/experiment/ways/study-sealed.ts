import { rm } from 'node:fs/promises';
import { writePassphrase } from './passphrase.ts';
import { lacksOfSsh, serveSsh } from './ssh-server.ts';
import { StudyVm } from './study-vm.ts';
import type { Way } from './way.ts';

const cipher = ['enc', '-aes-256-ctr', '-pbkdf2'];

/** The study's proposal by hand, one step after the other: `openssl enc` of the whole disk into a file, `scp` of that file, `openssl enc -d`. */
export const studySealed: Way = {
  name: 'study-sealed',
  lacks: () => lacksOfSsh({ openssl: 'openssl', scp: 'openssh-client' }),
  start: async (ground) => {
    const { source, destination } = ground;
    const vm = await StudyVm.make(ground);
    const { sshd, config } = await serveSsh(destination);
    const passphrases = await writePassphrase(ground);
    const [sealed, arrived] = [source.path('study.enc'), destination.path('study.enc')];
    return {
      cross: (payload, clock, signal) =>
        vm.move(payload, clock, async () => {
          const seal = [...cipher, '-pass', `file:${passphrases[0]}`, '-in', vm.sourceDisk, '-out', sealed];
          await clock.bytes('encrypt', () => source.run('openssl', seal, { signal }));
          await clock.bytes('copy', () =>
            source.run('scp', ['-q', '-F', config, sealed, `there:${arrived}`], { signal }),
          );
          const open = [...cipher, '-d', '-pass', `file:${passphrases[1]}`, '-in', arrived, '-out', vm.destinationDisk];
          await clock.bytes('decrypt', () => destination.run('openssl', open, { signal }));
          await clock.bytes('sync', () => destination.sync(vm.destinationDisk));
          await clock.outside(() => Promise.all([sealed, arrived].map((path) => rm(path))));
        }),
      stop: () => sshd.stop(),
    };
  },
};
