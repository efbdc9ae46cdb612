import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { parseHostFile } from '../../domain/host-file.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Cli } from '../cli.ts';
import { readHostFile } from '../host-file.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({
  data: z.string().default(join('.sealift', 'up')),
  port: z.coerce.number().int().min(1).max(64_535).default(7233),
  host: z.array(z.string()).default([]),
});

export function addUp(program: Command, cli: Cli): void {
  program
    .command('up')
    .description('bring up Temporal, a control worker and hosts on this machine, until Ctrl-C')
    .option(
      '--host <files...>',
      "files of this machine's hosts, as of sealift host init (default: two on stand-in Xen)",
    )
    .option('--data <folder>', 'where everything of it lies (default: .sealift/up)')
    .option('--port <number>', "Temporal's port; its Web UI takes the one 1000 above (default: 7233)")
    .addHelpText(
      'after',
      examples(
        'sealift up',
        'sealift up --data /var/tmp/sealift --port 17233',
        'sealift up --host /etc/sealift/host.toml',
      ),
    )
    .action(async (raw: unknown) => {
      const { data, port, host } = parseOptions(options, raw);
      const realHosts = [];
      for (const filePath of host) {
        realHosts.push({
          filePath: resolve(filePath),
          name: parseHostFile(await readHostFile(filePath), filePath).name,
        });
      }
      // Loaded here: no other command needs the server or the stand-in.
      const { bringUp } = await import('../../infra/embedded.ts');
      const { standIns } = await import('../../infra/stand-in-host.ts');
      const { aborted, interruption, unlessAborted } = await import('../../infra/interruption.ts');
      const signal = interruption();
      const bringing = bringUp({
        folder: data,
        hosts: realHosts.length === 0 ? standIns : [],
        realHosts,
        port,
        signal,
        say: (line) => {
          cli.note(line);
        },
      });
      const up = await unlessAborted(signal, bringing);
      if (up === null) {
        cli.exitCode = exitCodes.detached;
        return;
      }
      try {
        const names = [...up.hosts.map((one) => one.host), ...realHosts].map(({ name }) => name);
        cli.answer({ address: up.server.address, ui: up.server.uiUrl, hosts: names }, [
          `up: Temporal at ${up.server.address}, its Web UI at ${String(up.server.uiUrl)}, hosts ${names.join(', ')}`,
          'Ctrl-C stops everything and loses nothing.',
        ]);
        await aborted(signal);
      } finally {
        await up.stop();
      }
    });
}
