import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Cli } from '../cli.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({
  data: z.string().default(join('.sealift', 'up')),
  port: z.coerce.number().int().min(1).max(64_535).default(7233),
});
/** Fenced by permission bits, which the stand-in's domains cannot override: immutable files would outlive an `rm -r` of the folder. */
const settings = { fence: 'permissions' } as const;
const hosts = [
  { name: 'lon-1', site: 'london', settings },
  { name: 'fra-1', site: 'frankfurt', settings },
];

export function addUp(program: Command, cli: Cli): void {
  program
    .command('up')
    .description('bring up Temporal, a control worker and two hosts on stand-in Xen on this machine, until Ctrl-C')
    .option('--data <folder>', 'where everything of it lies (default: .sealift/up)')
    .option('--port <number>', "Temporal's port; its Web UI takes the one 1000 above (default: 7233)")
    .addHelpText('after', examples('sealift up', 'sealift up --data /var/tmp/sealift --port 17233'))
    .action(async (raw: unknown) => {
      const { data, port } = parseOptions(options, raw);
      // Loaded here: no other command needs the server or the stand-in.
      const { bringUp } = await import('../../infra/embedded.ts');
      const up = await bringUp({
        folder: data,
        hosts,
        port,
        say: (line) => {
          cli.note(line);
        },
      });
      try {
        const stopped = new Promise((done) => {
          for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, done);
        });
        const names = up.hosts.map(({ host }) => host.name);
        cli.answer({ address: up.server.address, ui: up.server.uiUrl, hosts: names }, [
          `up: Temporal at ${up.server.address}, its Web UI at ${String(up.server.uiUrl)}, hosts ${names.join(', ')}`,
          'Ctrl-C stops everything and loses nothing.',
        ]);
        await stopped;
      } finally {
        await up.stop();
      }
    });
}
