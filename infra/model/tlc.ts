import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { SealiftError } from '../../domain/error.ts';
import type { Bounds, Invariant } from './cases.ts';

export interface Check {
  features: string[];
  /** Guards that are taken out. */
  out: string[];
  bounds: Bounds;
  invariants: readonly Invariant[];
}

export interface Verdict {
  /** The invariant that broke; null when none did and all states were seen. */
  broken: string | null;
  distinctStates: number;
  /** Steps of the longest path, or to the state that breaks the invariant. */
  depth: number;
  seconds: number;
}

/**
 * Runs TLC on the module `deed.tla` by a configuration made for `check`, in a folder that is removed again.
 * @throws 'bad-config' with TLC's own words when it neither saw all states nor broke an invariant.
 */
export async function runTlc(
  tools: { jar: string; module: string },
  check: Check,
  signal: AbortSignal,
): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-model-'));
  try {
    await cp(tools.module, join(folder, 'deed.tla'));
    await writeFile(join(folder, 'deed.cfg'), configuration(check));
    const began = performance.now();
    // most runs end within seconds: the second compiler and a second collector would cost more than they give
    const java = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx2g', '-cp', tools.jar];
    // it unpacks its own modules there, and two at a time would take them from each other
    java.push(`-Djava.io.tmpdir=${folder}`, 'tlc2.TLC');
    const { stdout } = await execa('java', [...java, '-workers', '1', '-metadir', join(folder, 'states'), 'deed.tla'], {
      cwd: folder,
      reject: false,
      stdin: 'ignore',
      cancelSignal: signal,
    });
    signal.throwIfAborted();
    return { ...verdictOf(stdout), seconds: (performance.now() - began) / 1000 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** TLC's configuration file; hosts are model values, and all but the first are alike. */
export function configuration({ features, out, bounds, invariants }: Check): string {
  const set = (words: string[]): string => `{${words.map((word) => JSON.stringify(word)).join(', ')}}`;
  return [
    'SPECIFICATION Spec',
    'CONSTANTS',
    `  Host = {${['A', 'B', 'C'].slice(0, bounds.hosts).join(', ')}}`,
    '  First = A',
    `  MaxToken = ${String(bounds.maxToken)}`,
    `  MaxWrite = ${String(bounds.maxWrite)}`,
    `  Features = ${set(features)}`,
    `  Out = ${set(out)}`,
    `INVARIANTS ${invariants.join(' ')}`,
    ...(bounds.hosts > 2 ? ['SYMMETRY Others'] : []),
    'CHECK_DEADLOCK FALSE',
    '',
  ].join('\n');
}

/** What TLC's output says. Throws 'bad-config' when it says neither that all is well nor which invariant broke. */
export function verdictOf(output: string): Omit<Verdict, 'seconds'> {
  const broken = /^Error: Invariant (\w+) is violated/m.exec(output)?.[1] ?? null;
  const distinctStates = Number(/^\d+ states generated, (\d+) distinct states found/m.exec(output)?.[1]);
  const depth = Number(/depth of the complete state graph search is (\d+)/.exec(output)?.[1]);
  const isWhole = output.includes('Model checking completed. No error has been found.');
  if ((broken === null && !isWhole) || Number.isNaN(distinctStates) || Number.isNaN(depth)) {
    const lines = output.split('\n').filter((line) => line !== '' && !line.startsWith('Progress('));
    throw new SealiftError('bad-config', `TLC did not check the model: ${lines.slice(-12).join(' ').slice(0, 1_000)}`);
  }
  return { broken, distinctStates, depth };
}
