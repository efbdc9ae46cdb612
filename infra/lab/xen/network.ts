import { execa } from 'execa';
import { z } from 'zod';
import { addresses, hostNames } from './places.ts';
import type { HostName } from './places.ts';

const interfaces = z.array(z.looseObject({ ifname: z.string(), ifalias: z.string().optional() }));
const mostLabs = 10;

/** The interface of this machine that is the cable of a host: to the management network or to the link between the hosts. */
export function cable(number: number, network: 'management' | 'link', host: HostName): string {
  return `${bridge(number, network)}${host.slice(-1)}`;
}

/**
 * Makes the two networks of a lab, and gives the lab's number: the first that no other lab of this machine has. Its interfaces carry the lab's
 * folder as their alias, by which `removeNetworks` finds them.
 */
export async function makeNetworks(folder: string): Promise<number> {
  const number = await claim(folder);
  const lines = (['management', 'link'] as const).flatMap((network) => {
    const name = bridge(number, network);
    const own = addresses(number)[network]('outside');
    return [
      ...(network === 'link'
        ? [`link add ${name} type bridge forward_delay 0`, `link set ${name} alias ${folder}`]
        : []),
      `addr add ${own}/24 dev ${name}`,
      `link set ${name} up`,
      ...hostNames.flatMap((host) => {
        const tap = cable(number, network, host);
        return [
          `tuntap add dev ${tap} mode tap vnet_hdr`,
          `link set ${tap} alias ${folder}`,
          `link set ${tap} master ${name} up`,
        ];
      }),
    ];
  });
  await execa('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
  return number;
}

/** The kernel makes an interface of a name for one caller only. */
async function claim(folder: string): Promise<number> {
  for (let number = 0; number < mostLabs; number += 1) {
    const name = bridge(number, 'management');
    const made = await execa('ip', ['link', 'add', name, 'type', 'bridge', 'forward_delay', '0'], { reject: false });
    if (made.exitCode === 0) {
      await execa('ip', ['link', 'set', name, 'alias', folder]);
      return number;
    }
    if (!made.stderr.includes('File exists')) throw new Error(`no bridge can be made: ${made.stderr}`);
  }
  throw new Error(`${mostLabs} labs are up on this machine`);
}

export async function removeNetworks(folder: string): Promise<void> {
  const { stdout } = await execa('ip', ['-json', 'link', 'show']);
  const own = interfaces.parse(JSON.parse(stdout)).filter(({ ifalias }) => ifalias === folder);
  for (const { ifname } of own) await execa('ip', ['link', 'delete', ifname]);
}

function bridge(number: number, network: 'management' | 'link'): string {
  return `slx${String(number)}${network.slice(0, 1)}`;
}
