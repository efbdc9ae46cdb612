import { execa } from 'execa';
import { newTunnelKey, publicPem } from '../../../transport/ipsec/tunnel-key.ts';
import { Vici } from '../../../transport/ipsec/vici.ts';
import type { Charon } from './charon.ts';
import type { WanLab } from './lab.ts';

/** A standing IPsec tunnel between the sites of a lab, as an administrator has one between two of his: nothing of Sealift takes part. */
export interface SiteTunnel {
  /** By which the sites reach each other inside it. */
  inner: readonly [string, string];
  lower: () => Promise<void>;
}

const name = 'sites';
const inner = ['10.77.1.1', '10.77.2.1'] as const;
const nets = ['10.77.1.0/24', '10.77.2.0/24'] as const;
const agreeMs = 15_000;

/** Raises one by IKEv2 and ESP, both with AES-256-GCM. What goes in it is sent by `congestion`. */
export async function raiseSiteTunnel(
  lab: WanLab,
  charons: readonly [Charon, Charon],
  congestion = 'cubic',
): Promise<SiteTunnel> {
  const { sites } = lab;
  const keys = [newTunnelKey(), newTunnelKey()] as const;
  for (const here of [0, 1] as const) {
    const there = here === 0 ? 1 : 0;
    await execa(...sites[here].within('ip', 'address', 'replace', `${inner[here]}/32`, 'dev', 'lo'));
    await Vici.with(charons[here].vici, async (vici) => {
      await vici.ask('load-key', { type: 'any', data: keys[here].secret });
      await vici.ask('load-conn', {
        [name]: {
          version: '2',
          remote_addrs: [sites[there].address],
          proposals: ['aes256gcm16-prfsha384-ecp384'],
          mobike: 'no',
          local: { auth: 'pubkey', pubkeys: [publicPem(keys[here].publicKey)], id: sites[here].name },
          remote: { auth: 'pubkey', pubkeys: [publicPem(keys[there].publicKey)], id: sites[there].name },
          children: {
            [name]: {
              local_ts: [nets[here]],
              remote_ts: [nets[there]],
              esp_proposals: ['aes256gcm16'],
              rekey_time: '0',
            },
          },
        },
      });
    });
  }
  await Vici.with(charons[0].vici, (vici) =>
    vici.ask('initiate', { ike: name, child: name, timeout: String(agreeMs) }, agreeMs + 5_000),
  );
  for (const { within } of sites) {
    const { stdout } = await execa(...within('ip', 'route', 'show', 'table', '220'));
    const route = stdout.trim().split(/\s+/);
    await execa(...within('ip', 'route', 'change', ...route, 'table', '220', 'congctl', congestion));
  }
  return {
    inner,
    lower: async () => {
      // The other end hears of it.
      await Vici.with(charons[0].vici, (vici) => vici.ask('terminate', { ike: name }));
      for (const here of [0, 1] as const) {
        await Vici.with(charons[here].vici, (vici) => vici.ask('unload-conn', { name }));
        await execa(...sites[here].within('ip', 'address', 'delete', `${inner[here]}/32`, 'dev', 'lo'));
      }
    },
  };
}
