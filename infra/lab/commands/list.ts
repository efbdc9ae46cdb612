import { configJson, dom0Json, printJson } from '../config-json.ts';
import { parseOptions } from '../options.ts';
import { labSettings } from '../places.ts';
import type { LivingDomain } from '../state.ts';
import { findDomain } from '../state.ts';
import { dom0CpuSeconds } from '../dom0.ts';
import type { XlCall } from '../xl.ts';
import { noSuchDomain, XlFailure } from '../xl-failure.ts';

/** `xl list [-l|-v] [NAME|DOMID]` */
export function list(call: XlCall): void {
  const options = parseOptions('list', call.args, 'lv', { long: 'l', verbose: 'v' });
  const dom0Mib = labSettings(call.places).dom0Mib;
  const [wanted] = options.operands;
  const domains = wanted === undefined ? call.state.living() : [lookUp(call, wanted)];
  const withDom0 = wanted === undefined;
  if (options.count('l') > 0) {
    call.halfWay();
    const named = domains.filter(({ phase }) => phase !== 'nameless');
    const entries = named.map(({ domid, config }) => ({ domid, config: configJson(config, false) }));
    const all = withDom0 ? [{ domid: 0, config: dom0Json(dom0Mib) }, ...entries] : entries;
    call.out(`${printJson(all)}\n\n`);
    return;
  }
  const verbose = options.count('v') > 0;
  const extra = verbose ? '   UUID                            Reason-Code\tSecurity Label' : '';
  call.out(`Name                                        ID   Mem VCPUs\tState\tTime(s)${extra}\n`);
  call.halfWay();
  if (withDom0) {
    const row = {
      name: 'Domain-0',
      domid: 0,
      memoryMib: dom0Mib,
      vcpus: 1,
      flags: 'r-----',
      seconds: dom0CpuSeconds(),
    };
    call.out(`${tableRow(row)}${verbose ? verboseTail('00000000-0000-0000-0000-000000000000', null) : ''}\n`);
  }
  for (const domain of domains) {
    const { name, domid, config, uuid } = domain;
    const vcpus = domain.reason === null || domain.phase === 'suspended' ? config.vcpus : 0;
    const facts = {
      memoryMib: config.memoryKb / 1024,
      vcpus,
      flags: stateFlags(domain),
      seconds: domain.ran ? Math.max(0.1, domain.facts.cpuSeconds) : 0,
    };
    call.out(`${tableRow({ name, domid, ...facts })}${verbose ? verboseTail(uuid, domain.reason) : ''}\n`);
  }
}

function lookUp(call: XlCall, wanted: string): LivingDomain {
  const found = findDomain(call.state, wanted);
  if (found !== null) return found;
  throw /^\d+$/.test(wanted) ? new XlFailure(1, `Error: Domain '${wanted}' does not exist.`) : noSuchDomain(wanted);
}

/** The six letters of `xl list`: running, blocked, paused, shut down, crashed, dying. */
function stateFlags({ phase, reason, facts }: LivingDomain): string {
  if (phase === 'dying' || phase === 'nameless') return reason === 1 ? '--psr-' : '--ps--';
  if (phase === 'suspended') return '---ss-';
  if (phase === 'shutdown') return reason === 3 ? '---sc-' : '---s--';
  return phase === 'building' || facts.letter === 'T' ? '--p---' : '-b----';
}

interface TableRow {
  name: string;
  domid: number;
  memoryMib: number;
  vcpus: number;
  flags: string;
  seconds: number;
}

function tableRow({ name, domid, memoryMib, vcpus, flags, seconds }: TableRow): string {
  const numbers = [domid, memoryMib, vcpus].map((number) => String(Math.round(number)).padStart(5)).join(' ');
  return `${name.padEnd(40)} ${numbers}     ${flags}  ${seconds.toFixed(1).padStart(8)}`;
}

function verboseTail(uuid: string, reason: number | null): string {
  return ` ${uuid} ${(reason === null ? '-' : reason.toString(16)).padStart(8)} ${'-'.padStart(16)}`;
}
