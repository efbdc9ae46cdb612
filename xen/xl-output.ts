import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import type { DomainState } from '../domain/survey.ts';
import type { Domain, ToolstackInfo } from './toolstack.ts';

const mebibyte = 1024 * 1024;

/** Name, id, memory, vcpus, state, time, uuid, reason code, label. The name may hold anything, so the rest is matched from the right. */
const listLine =
  /^(.*)\s(\d+)\s+(\d+)\s+(\d+)\s+([r-][b-][p-][s-][-rscwS?][d-])\s+(\d+\.\d+)\s+([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s.*$/;

/** Reads `xl list -v` (tools/xl/xl_list.c). Domain-0 is left out. Throws 'xl-failed' for a line that it does not know. */
export function parseList(stdout: string): Domain[] {
  const [head = '', ...lines] = stdout.split('\n');
  if (!/^Name\s+ID\s/.test(head)) throw new SealiftError('xl-failed', 'xl list printed something else than a list');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const [whole, name = '', domid, memory, vcpus, flags = '', time, uuid = ''] = listLine.exec(line) ?? [];
      if (whole === undefined) throw new SealiftError('xl-failed', 'xl list printed a line that does not parse');
      return {
        domid: Number(domid),
        name: name.trimEnd(),
        uuid,
        state: readState(flags),
        shutdownReason: flags[3] === 's' ? (reasons[flags[4] ?? ''] ?? 'unknown') : null,
        memoryBytes: Number(memory) * mebibyte,
        vcpus: Number(vcpus),
        cpuSeconds: Number(time),
      };
    })
    .filter((domain) => domain.domid !== 0);
}

const reasons: Record<string, Domain['shutdownReason']> = {
  '-': 'poweroff',
  r: 'reboot',
  s: 'suspend',
  c: 'crash',
  w: 'watchdog',
  S: 'soft-reset',
};

/** No flag at all is running too: the domain waits for a processor. */
function readState(flags: string): DomainState {
  const [, , paused, shutdown, reason, dying] = flags;
  // A domain that is being torn down shows as shut down and paused for some seconds, mostly without the d.
  if (dying === 'd' || (shutdown === 's' && paused === 'p')) return 'dying';
  if (shutdown === 's' && (reason === 'c' || reason === 'w')) return 'crashed';
  // Suspended: it is being saved, its memory is alive.
  if (shutdown === 's' && reason === 's') return 'paused';
  if (shutdown === 's') return 'shutdown';
  return paused === 'p' ? 'paused' : 'running';
}

const jsonDomain = z.looseObject({ domid: z.int(), config: z.unknown() });

/** Reads `xl list -l`: one object per domain, or, for one domain and an old xl, the object alone. Domain-0 is left out. */
export function parseConfigs(stdout: string): { domid: number; config: unknown }[] {
  let json: unknown;
  try {
    json = JSON.parse(stdout);
  } catch {
    throw new SealiftError('xl-failed', 'xl list -l printed something else than JSON');
  }
  const parsed = z.array(jsonDomain).safeParse(Array.isArray(json) ? json : [json]);
  if (!parsed.success) throw new SealiftError('xl-failed', 'xl list -l printed JSON of another form');
  return parsed.data.filter(({ domid }) => domid !== 0).map(({ domid, config }) => ({ domid, config }));
}

/** Reads `xl info`: a line per fact, memory in MiB. */
export function parseInfo(stdout: string): ToolstackInfo {
  const facts = new Map(
    stdout.split('\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon === -1 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const];
    }),
  );
  const fact = (key: string, pattern: RegExp): string => {
    const value = facts.get(key);
    if (value === undefined || !pattern.test(value))
      throw new SealiftError('xl-failed', `xl info does not tell ${key}`);
    return value;
  };
  return {
    host: fact('host', /./),
    xenVersion: fact('xen_version', /^\d+\.\d+/),
    capabilities: fact('xen_caps', /^/).split(' '),
    commandLine: fact('xen_commandline', /^/),
    processors: Number(fact('nr_cpus', /^\d+$/)),
    cpuNumbers: Number(fact('max_cpu_id', /^\d+$/)) + 1,
    nodes: Number(fact('nr_nodes', /^\d+$/)),
    cpuFeatures: fact('hw_caps', /^/),
    virtualization: fact('virt_caps', /^/).split(' '),
    totalMemoryBytes: Number(fact('total_memory', /^\d+$/)) * mebibyte,
    freeMemoryBytes: Number(fact('free_memory', /^\d+$/)) * mebibyte,
  };
}
