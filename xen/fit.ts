import { note, refusal, warning } from '../domain/concern.ts';
import type { Concern } from '../domain/survey.ts';
import { guestType } from './guest-type.ts';
import type { ToolstackInfo } from './toolstack.ts';
import { olderXen } from './version.ts';
import type { XlConfig, XlValue } from './xl-config/types.ts';
import { configNumber, configValue } from './xl-config/values.ts';
import { configVifs } from './xl-config/vif.ts';
import type { XlConf } from './xl-conf.ts';

/** A host as a guest meets it. */
export interface Machine {
  name: string;
  info: ToolstackInfo;
  conf: XlConf;
}

/**
 * What a host's Xen, processors and xl.conf have against a configuration that is to be started there. Refuses only what
 * `xl create` would. No text holds a path. Throws 'config-syntax'.
 */
export function fitConcerns(config: XlConfig, machine: Machine): Concern[] {
  return [typeConcerns, cpuConcerns, nodeConcerns, grantConcerns, defaultConcerns].flatMap((check) =>
    check(config, machine),
  );
}

function typeConcerns(config: XlConfig, { name, info }: Machine): Concern[] {
  const type = guestType(config);
  const needed = type === 'pv' ? 'xen-' : 'hvm-';
  // Other processors than x86 have one kind of guest only.
  const known = info.capabilities.some((one) => one.includes('x86'));
  if (!known || info.capabilities.some((one) => one.startsWith(needed))) return [];
  return [refusal('guest-type', `the Xen of ${name} runs no ${type.toUpperCase()} guests`)];
}

function cpuConcerns(config: XlConfig, { name, info }: Machine): Concern[] {
  const concerns: Concern[] = [];
  const vcpus = configNumber(config, 'maxvcpus') ?? configNumber(config, 'vcpus') ?? 1;
  if (vcpus > info.processors) {
    const has = `${name} has ${String(info.processors)}`;
    concerns.push(warning('more-vcpus', `the VM has ${String(vcpus)} virtual processors, ${has}`));
  }
  const pinned = configValue(config, 'cpus') ?? '';
  const sets = Array.isArray(pinned) ? pinned : [pinned];
  if (sets.some((set) => (lowestCpu(set) ?? 0) >= info.cpuNumbers)) {
    const has = `${name} has them up to ${String(info.cpuNumbers - 1)}`;
    concerns.push(refusal('no-such-cpus', `cpus names processors that are not there: ${has}`));
  }
  return concerns;
}

/** The lowest of the processors that a plain list of numbers and ranges names (`2-3,6`); null for any other text. */
function lowestCpu(set: XlValue): number | null {
  if (typeof set !== 'string' || !/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(set)) return null;
  return Math.min(...set.split(',').map((range) => Number.parseInt(range, 10)));
}

function nodeConcerns(config: XlConfig, { name, info }: Machine): Concern[] {
  const nodes = configValue(config, 'vnuma') ?? [];
  const named = (Array.isArray(nodes) ? nodes.flat() : []).flatMap((one) => {
    const [, node] = typeof one === 'string' ? (/^\s*pnode\s*=\s*(\d+)\s*$/.exec(one) ?? []) : [];
    return node === undefined ? [] : [Number(node)];
  });
  if (named.every((node) => node < info.nodes)) return [];
  const has = `${name} has ${String(info.nodes)}`;
  return [refusal('no-such-node', `vnuma names node ${String(Math.max(...named))}, ${has} (counted from 0)`)];
}

/** Xen's own limits, where its command line is silent. */
const grantLimits = [
  { key: 'max_grant_frames', option: 'gnttab_max_frames', frames: 64 },
  { key: 'max_maptrack_frames', option: 'gnttab_max_maptrack_frames', frames: 1024 },
] as const;

function grantConcerns(config: XlConfig, { name, info, conf }: Machine): Concern[] {
  const concerns: Concern[] = [];
  for (const { key, option, frames } of grantLimits) {
    const asked = configNumber(config, key);
    const here = key === 'max_grant_frames' ? conf.maxGrantFrames : conf.maxMaptrackFrames;
    const limit = Number(new RegExp(`(?:^| )${option}=(\\d+)`).exec(info.commandLine)?.[1] ?? frames);
    if (asked === null) {
      if (here !== null) {
        concerns.push(note('grant-default', `${key} is not set, and xl.conf of ${name} makes it ${String(here)}`));
      }
    } else if (asked > limit && olderXen(info.xenVersion, '4.18')) {
      const text = `${key} is ${String(asked)}, the Xen of ${name} gives ${String(limit)}`;
      concerns.push(warning('grant-limit', text));
    }
  }
  return concerns;
}

function defaultConcerns(config: XlConfig, { name, conf }: Machine): Concern[] {
  const concerns: Concern[] = vifDefaultConcerns(config, name, conf);
  if (!conf.claims) concerns.push(note('no-claim', `xl.conf of ${name} has claim_mode=0`));
  return concerns;
}

/** What xl.conf of a host, source or destination, has vifs set up by, where they name no script. */
export function vifDefaultConcerns(config: XlConfig, host: string, { vifScript }: XlConf): Concern[] {
  if (isXensOwnScript(vifScript) || configVifs(config).every((vif) => vif.script !== null)) return [];
  return [
    warning('vif-default-script', `xl.conf of ${host} sets up vifs that name no script by another one than Xen's`),
  ];
}

/** Whether it is the script that xl runs for a vif when nobody names one. */
export function isXensOwnScript(script: string | null): boolean {
  return script === null || script === 'vif-bridge' || script === '/etc/xen/scripts/vif-bridge';
}
