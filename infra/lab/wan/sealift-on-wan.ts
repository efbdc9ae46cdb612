import { bringUp } from '../../embedded.ts';
import type { Embedded } from '../../embedded.ts';
import { openDoor } from '../../door.ts';
import { anyPort } from '../../free-port.ts';
import type { StandInPlan } from '../../stand-in-host.ts';
import type { ContainerServer, HostFile } from '../../../domain/host-file.ts';
import type { WanLab } from './lab.ts';

/** What `staged` needs: an SSH server at `fra`, and where its containers are made and arrive. */
export interface Staging {
  staging: ContainerServer;
  ssh: NonNullable<HostFile['ssh']>;
}

/** Sealift with a host on stand-in Xen at each site, `lon-1` and `fra-1`; Temporal and the control worker are outside, where nothing holds them up. `folder` takes all of it. */
export async function startSealiftOnWan(lab: WanLab, folder: string, staging?: Staging): Promise<Embedded> {
  const port = await anyPort();
  const doors = await Promise.all(lab.sites.map(({ outside }) => openDoor(`127.0.0.1:${String(port)}`, outside)));
  const hosts = await Promise.all(
    lab.sites.map(async (site, index): Promise<StandInPlan> => {
      const place = { within: site.within, temporalAddress: doors[index]?.address ?? '' };
      const landing = { address: site.address, port: await anyPort() };
      const settings = { landing, fence: 'permissions' as const, ...staging };
      const name = `${site.name}-1`;
      return { name, site: site.name, settings, place, ...(staging && { peerSsh: staging.staging }) };
    }),
  );
  try {
    const up = await bringUp({ folder, hosts, headless: true, port });
    return { ...up, stop: () => up.stop().finally(() => doors.forEach((door) => door.close())) };
  } catch (error) {
    for (const door of doors) door.close();
    throw error;
  }
}
