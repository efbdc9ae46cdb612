import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { formatBytes, formatMoment, formatTable } from '../format.ts';
import { examples } from './examples.ts';

export function addHostList(host: Command, cli: Cli): void {
  host
    .command('list')
    .description('list the hosts that have ever registered')
    .addHelpText('after', examples('sealift host list'))
    .action(async () => {
      const hosts = await (await cli.connect()).hosts();
      const rows = hosts.map(({ name, card, away, registeredAt }) => [
        name,
        card?.site ?? '',
        away ? 'away' : 'here',
        card === null ? '' : `${card.landing.address}:${card.landing.port}`,
        card === null ? '' : `Xen ${card.xenVersion}`,
        card?.pools.map((pool) => `${pool.name} ${formatBytes(pool.freeBytes)} free`).join(', ') ?? '',
        formatMoment(registeredAt),
      ]);
      const table = formatTable(['HOST', 'SITE', 'WORKER', 'LANDING', 'XEN', 'POOLS', 'REGISTERED'], rows);
      cli.answer({ hosts }, hosts.length === 0 ? ['no hosts yet: start a host worker'] : table);
    });
}
