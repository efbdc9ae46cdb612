import { existsSync, readFileSync, statSync } from '../fs.ts';
import { dirname } from 'node:path';
import { memoryFile } from '../create.ts';
import { parseOptions } from '../options.ts';
import { until } from '../patience.ts';
import { signalProcess } from '../process.ts';
import type { GuestMemory } from '../record-writer.ts';
import { imageInfo, writeImage } from '../saved-image.ts';
import { findDomain } from '../state.ts';
import type { LivingDomain } from '../state.ts';
import type { XlCall } from '../xl.ts';
import { noSuchDomain, XlFailure } from '../xl-failure.ts';
import { endDomain } from './power.ts';

const suspendLimitMs = 5_000;

/** `xl save [-c|-p] NAME FILE`: the domain ends when it is saved; `-c` lets it run on, `-p` leaves it paused. */
export async function save(call: XlCall): Promise<void> {
  const { operands, count } = parseOptions('save', call.args, 'cp', {}, 2);
  const [name = '', file = ''] = operands;
  const domain = findDomain(call.state, name);
  if (domain === null) throw noSuchDomain(name);
  if (!existsSync(dirname(file)) || !statSync(dirname(file)).isDirectory())
    throw new XlFailure(1, `Failed to open temp file ${file} for writing`);
  const memory = await suspend(call, domain);
  const image = { config: domain.config, memory };
  call.log(`Saving to ${file} new xl format (info ${imageInfo(image)})`);
  call.log(`xc: info: Saving domain ${String(domain.domid)}, type x86 ${domain.config.type === 'pv' ? 'PV' : 'HVM'}`);
  writeImage(file, image, call.halfWay);
  for (const line of progress(domain.config.memoryKb / 4)) call.log(line);
  if (domain.process === null) return;
  if (count('p') > 0) {
    // Paused before it is resumed, as in xl: a guest that ran for a moment would be ahead of its image.
    signalProcess(domain.process, 'SIGSTOP');
    signalProcess(domain.process, 'SIGUSR2');
    call.state.change(domain.domid, { phase: 'running', reason: null });
  } else if (count('c') > 0) {
    signalProcess(domain.process, 'SIGUSR2');
    await until(suspendLimitMs, () => call.state.get(domain.domid)?.phase !== 'suspended');
  } else {
    await endDomain(call, domain);
  }
}

/** Asks the guest to suspend; a paused one cannot. */
export async function suspend(call: XlCall, domain: LivingDomain): Promise<GuestMemory | null> {
  const { process, domid, phase } = domain;
  const asked = phase === 'running' && process !== null && signalProcess(process, 'SIGUSR2');
  if (!asked || !(await until(suspendLimitMs, () => call.state.get(domid)?.phase === 'suspended')))
    throw new XlFailure(
      1,
      `libxl: error: libxl_dom_suspend.c:414:suspend_common_wait_guest_timeout: Domain ${String(domid)}:guest did not suspend, timed out`,
      ...(call.command === 'save' ? ['Failed to save domain, resuming domain'] : []),
    );
  return JSON.parse(readFileSync(memoryFile(call.places, domid), 'utf8')) as GuestMemory | null;
}

/** One line for every twelfth of the guest's frames, as xc prints them. */
function* progress(frames: number): Generator<string> {
  const step = Math.max(1024, Math.ceil(frames / 12 / 1024) * 1024);
  for (let done = step; done < frames + step; done += step) {
    const now = Math.min(done, frames);
    const percent = String(Math.floor((now * 100) / frames)).padStart(3);
    yield `xc: progress: Frames: ${String(now)}/${String(frames)}  ${percent}%`;
  }
  yield 'xc: progress: End of stream: 0/0    0%';
}
