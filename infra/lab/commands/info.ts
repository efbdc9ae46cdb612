import { cpus, release, version } from 'node:os';
import { parseOptions } from '../options.ts';
import { labSettings } from '../places.ts';
import type { XlCall } from '../xl.ts';

/** `xl info [-n]` */
export function info(call: XlCall): void {
  const options = parseOptions('info', call.args, 'n', { numa: 'n' });
  const settings = labSettings(call.places);
  const [major = '4', minor = '17', ...rest] = settings.xenVersion.split('.');
  const usedMib = call.state.living().reduce((sum, { config }) => sum + config.memoryKb / 1024, settings.dom0Mib);
  const freeMib = Math.floor(settings.memoryMib - usedMib);
  const count = settings.processors ?? cpus().length;
  const topology = options.count('n') === 0 ? [] : numaLines(count, settings.memoryMib, freeMib);
  const lines = [
    ...field('host', settings.hostName),
    ...field('release', release()),
    ...field('version', version()),
    ...field('machine', 'x86_64'),
    ...field('nr_cpus', String(count)),
    ...field('max_cpu_id', String(count - 1)),
    ...field('nr_nodes', '1'),
    ...field('cores_per_socket', String(count)),
    ...field('threads_per_core', '1'),
    ...field('cpu_mhz', (cpus()[0]?.speed ?? 2600).toFixed(3)),
    ...field('hw_caps', '078bf3fd:80002001:20100800:00000005:00000000:00000001:00000000:00000000'),
    ...field('virt_caps', 'pv hvm hap gnttab-v1 gnttab-v2'),
    ...field('total_memory', String(settings.memoryMib)),
    ...field('free_memory', String(freeMib)),
    ...field('sharing_freed_memory', '0'),
    ...field('sharing_used_memory', '0'),
    ...field('outstanding_claims', '0'),
    ...field('free_cpus', '0'),
    ...topology,
    ...field('xen_major', major),
    ...field('xen_minor', minor),
    ...field('xen_extra', rest.map((part) => `.${part}`).join('')),
    ...field('xen_version', settings.xenVersion),
    ...field('xen_caps', settings.xenCaps),
    ...field('xen_scheduler', 'credit2'),
    ...field('xen_pagesize', '4096'),
    ...field('platform_params', 'virt_start=0xffff800000000000'),
    ...field('xen_changeset', ''),
    ...field('xen_commandline', settings.xenCommandLine ?? `placeholder dom0_mem=${String(settings.dom0Mib)}M`),
    ...field('cc_compiler', 'x86_64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.0'),
    ...field('cc_compile_by', 'sealift'),
    ...field('cc_compile_domain', 'stand-in'),
    ...field('cc_compile_date', 'Wed Nov  4 16:52:28 UTC 2026'),
    ...field('build_id', '0000000000000000000000000000000000000000'),
    ...field('xend_config_format', '4'),
  ];
  call.halfWay();
  call.out(`${lines.join('\n')}\n`);
}

function field(name: string, value: string): string[] {
  return [`${name.padEnd(22)} : ${value}`];
}

function numaLines(processors: number, totalMib: number, freeMib: number): string[] {
  return [
    'cpu_topology           :',
    'cpu:    core    socket     node',
    ...Array.from(
      { length: processors },
      (_, cpu) => `${String(cpu).padStart(3)}:${[cpu, 0, 0].map((n) => String(n).padStart(8)).join('')}`,
    ),
    'device topology        :',
    'device           node',
    'No device topology data available',
    'numa_info              :',
    'node:    memsize    memfree    distances',
    `   0:${String(totalMib).padStart(10)}${String(freeMib).padStart(11)}      10`,
  ];
}
