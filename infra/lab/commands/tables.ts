import { dom0CpuSeconds, dom0UptimeSeconds } from '../dom0.ts';
import { parseOptions } from '../options.ts';
import { findDomain } from '../state.ts';
import type { LivingDomain } from '../state.ts';
import type { XlCall } from '../xl.ts';
import { noSuchDomain, XlFailure } from '../xl-failure.ts';

/** `xl uptime [NAME ...]` */
export function uptime(call: XlCall): void {
  const names = parseOptions('uptime', call.args, '').operands;
  const domains = chosen(call, names);
  call.out('Name                                ID Uptime\n');
  if (names.length === 0) call.out(uptimeRow('Domain-0', 0, dom0UptimeSeconds()));
  for (const { name, domid, createdMs } of domains) call.out(uptimeRow(name, domid, (Date.now() - createdMs) / 1000));
}

/** `xl vcpu-list [NAME ...]` */
export function vcpuList(call: XlCall): void {
  const names = parseOptions('vcpu-list', call.args, '').operands;
  call.out('Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n');
  const domains = chosen(call, names);
  if (names.length === 0) call.out(vcpuRow('Domain-0', 0, 0, 'r--', dom0CpuSeconds()));
  for (const { name, domid, config, facts } of domains) {
    const flags = facts.letter === 'T' ? '--p' : '-b-';
    for (let vcpu = 0; vcpu < config.vcpus; vcpu += 1)
      call.out(vcpuRow(name, domid, vcpu, flags, facts.cpuSeconds / config.vcpus));
  }
}

/** `xl network-list NAME ...` */
export function networkList(call: XlCall): void {
  const domains = chosen(call, parseOptions('network-list', call.args, '', {}, 1).operands);
  call.out('Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       \n');
  for (const { domid, config } of domains) {
    for (const [index, { mac }] of config.nics.entries()) {
      const path = `/local/domain/0/backend/vif/${String(domid)}/${String(index)}`;
      const numbers = `${String(index).padStart(5)} ${'4'.padStart(5)} ${'-1'.padStart(6)}`;
      call.out(`${String(index).padEnd(3)} 0  ${mac} ${numbers}   522/523         ${path.padEnd(30)}\n`);
    }
  }
}

/** `xl block-list NAME ...` */
export function blockList(call: XlCall): void {
  const domains = chosen(call, parseOptions('block-list', call.args, '', {}, 1).operands);
  call.out('Vdev  BE  handle state evt-ch ring-ref BE-path                       \n');
  for (const { domid, config } of domains) {
    for (const [index, { vdev }] of config.disks.entries()) {
      const number = deviceNumber(vdev);
      const path = `/local/domain/0/backend/vbd/${String(domid)}/${String(number)}`;
      call.out(
        `${String(number).padEnd(5)} 0   ${String(domid).padEnd(6)} 4     ${String(7 + index).padEnd(6)} 8        ${path.padEnd(30)}\n`,
      );
    }
  }
}

function chosen(call: XlCall, names: string[]): LivingDomain[] {
  if (names.length === 0) return call.state.living();
  return names.map((name) => {
    const domain = findDomain(call.state, name);
    if (domain !== null) return domain;
    throw /^\d+$/.test(name) ? new XlFailure(1, `Domain ${name} does not exist.`) : noSuchDomain(name);
  });
}

function uptimeRow(name: string, domid: number, seconds: number): string {
  const parts = [Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60].map((part) => String(part).padStart(2, '0'));
  const hours = String(Math.floor(seconds / 3600) % 24).padStart(2);
  const days = Math.floor(seconds / 86_400);
  const text = [...(days === 0 ? [] : [`${String(days)} days,`]), [hours, ...parts].join(':')].join(' ');
  return `${name.padEnd(33)} ${String(domid).padStart(4)} ${text}\n`;
}

function vcpuRow(name: string, domid: number, vcpu: number, flags: string, seconds: number): string {
  const numbers = [domid, vcpu].map((number) => String(number).padStart(5)).join(' ');
  return `${name.padEnd(32)} ${numbers}    0   ${flags} ${seconds.toFixed(1).padStart(9)}  all / all\n`;
}

/** The number of a virtual device: xen-vbd-interface(7). */
function deviceNumber(vdev: string): number {
  const [, kind = 'xvd', letters = 'a', partition = '0'] = /^(xvd|sd|hd)([a-z]+)(\d*)$/.exec(vdev) ?? [];
  const disk = Buffer.from(letters).reduce((sum, letter) => sum * 26 + letter - 96, 0) - 1;
  const part = Number(partition || '0');
  if (kind === 'hd') return ((disk < 2 ? 3 : 22) << 8) + (disk % 2) * 64 + part;
  const major = kind === 'sd' ? 8 : 202;
  return disk < 16 ? (major << 8) + disk * 16 + part : 2 ** 28 + disk * 256 + part;
}
