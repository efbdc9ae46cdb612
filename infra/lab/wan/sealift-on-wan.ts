import { bringUp } from '../../embedded.ts';
import type { Embedded } from '../../embedded.ts';
import { openDoor } from '../../door.ts';
import { anyPort } from '../../free-port.ts';
import type { StandInPlan } from '../../stand-in-host.ts';
import type { ContainerServer, HostFile } from '../../../domain/host-file.ts';
import type { Charon } from './charon.ts';
import type { WanLab } from './lab.ts';

/** What methods need of the sites beside the line. */
export interface SiteServices {
  /** For `staged`: an SSH server at `fra`, and where its containers are made and arrive. */
  staged?: { staging: ContainerServer; ssh: NonNullable<HostFile['ssh']> } | undefined;
  /** For `tunnel`: the strongSwan of each site. */
  charons?: readonly Charon[] | undefined;
}

/** Hosts at the sites of a lab, for `bringUp`: with Temporal on that port outside, where nothing holds them up. */
export interface HostsOnWan {
  port: number;
  hosts: StandInPlan[];
  /** Closes the doors by which they reach Temporal. */
  close: () => void;
}

/** Sealift with a host on stand-in Xen at each site, `lon-1` and `fra-1`. `folder` takes all of it. */
export async function startSealiftOnWan(lab: WanLab, folder: string, services?: SiteServices): Promise<Embedded> {
  const { port, hosts, close } = await planHostsOnWan(lab, services);
  try {
    const up = await bringUp({ folder, hosts, headless: true, port });
    return { ...up, stop: () => up.stop().finally(close) };
  } catch (error) {
    close();
    throw error;
  }
}

/** Plans the hosts `lon-1` and `fra-1`. */
export async function planHostsOnWan(lab: WanLab, { staged, charons = [] }: SiteServices = {}): Promise<HostsOnWan> {
  const port = await anyPort();
  const doors = await Promise.all(lab.sites.map(({ outside }) => openDoor(`127.0.0.1:${String(port)}`, outside)));
  const hosts = await Promise.all(
    lab.sites.map(async (site, index): Promise<StandInPlan> => {
      const place = { within: site.within, temporalAddress: doors[index]?.address ?? '' };
      const vici = charons[index]?.vici;
      const settings = {
        landing: { address: site.address, port: await anyPort() },
        fence: 'permissions' as const,
        ...staged,
        ...(vici === undefined ? {} : { tunnel: { vici, esp: 'aes256gcm16' as const } }),
      };
      const name = `${site.name}-1`;
      return { name, site: site.name, settings, place, ...(staged && { peerSsh: staged.staging }) };
    }),
  );
  return {
    port,
    hosts,
    close: () => {
      for (const door of doors) door.close();
    },
  };
}
