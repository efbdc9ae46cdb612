import { readFileSync } from 'node:fs';
import { protocolVersion } from '../domain/protocol.ts';
import type { HostCard } from '../domain/survey.ts';
import { poolSpace } from '../storage/pool.ts';
import type { Host } from './host.ts';

/** What this host tells about itself. */
export async function hostCard(host: Host): Promise<HostCard> {
  const { file } = host;
  const info = await host.toolstack.info();
  const pools: HostCard['pools'] = [];
  for (const pool of file.pool) {
    const { freeBytes, totalBytes } = await poolSpace(pool).catch(() => ({ freeBytes: 0, totalBytes: 0 }));
    pools.push({ name: pool.name, kind: pool.kind, freeBytes, totalBytes });
  }
  return {
    name: file.name,
    site: file.site,
    identity: host.identity.name,
    version: packageVersion,
    protocolVersion,
    xenVersion: info.xenVersion,
    landing: { address: file.landing.address, port: host.landing.port },
    pools,
    staging:
      file.staging === undefined
        ? null
        : {
            address: file.staging.address,
            port: file.staging.port,
            user: file.staging.user,
            hostKey: file.staging.host_key,
            folder: file.staging.folder,
          },
    peers: file.peer.map((peer) => peer.name),
    freeMemoryBytes: info.freeMemoryBytes,
    esp: file.tunnel.esp,
    cpuFeatures: info.cpuFeatures,
  };
}

/** Sealift's version, from the package this file belongs to: its sources, or the published `dist/`. */
const packageVersion = readVersion();

function readVersion(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as Record<
        string,
        unknown
      >;
      if (name === 'sealift') return String(version);
    } catch {
      // not here: one folder further up
    }
  }
  return 'unknown';
}
