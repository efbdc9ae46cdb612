import type { WanLab } from '../../../infra/lab/wan/lab.ts';

/** An IPsec tunnel between the two sites, which is up. */
export interface Tunnel {
  /** By which the sites reach each other through it, the source's and the destination's; what is sent there goes by cubic. */
  inner: readonly [string, string];
  /** The processes that seal and open its packets at each site: what they take of the processor belongs to the way. */
  pids: readonly [number[], number[]];
  lower: () => Promise<void>;
}

/** How a tunnel is raised. */
export interface TunnelMaker {
  /** What this machine lacks for it, a sentence each. */
  lacks: () => string[];
  /** Raises one, with what it needs in `folder`. */
  raise: (lab: WanLab, folder: string) => Promise<Tunnel>;
}
