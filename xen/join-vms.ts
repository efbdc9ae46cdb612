import type { Dom0, FoundVm } from './dom0.ts';
import type { Toolstack } from './toolstack.ts';

export async function joinVms(_dom0: Dom0, toolstack: Toolstack): Promise<FoundVm[]> {
  const domains = await toolstack.list();
  return domains.map((domain) => ({
    ...domain,
    configPath: null,
    config: null,
    problem: null,
    autostartPath: null,
    savedImagePath: null,
    disks: [],
  }));
}
