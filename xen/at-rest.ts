import { basename, join } from 'node:path';
import { dom0 as entered } from '../dom0/dom0.ts';
import { errorCode, isAway, notThere } from '../dom0/system-errors.ts';
import { isSealiftError } from '../domain/error.ts';
import type { Dom0 } from './dom0.ts';
import { readSavedImage } from './saved-image.ts';
import { configDisks } from './xl-config/disk.ts';
import { parseXlConfig } from './xl-config/parse.ts';
import type { XlConfig, XlDisk } from './xl-config/types.ts';
import { configNumber, configString } from './xl-config/values.ts';

/** A configuration file of dom0. */
export interface AtRest {
  path: string;
  autostartPath: string | null;
  /** The setting, or the file's name when it cannot be read. */
  name: string;
  uuid: string | null;
  config: XlConfig | null;
  disks: XlDisk[];
  memoryBytes: number;
  problem: string | null;
}

/** Every configuration in Xen's folder, and those that only xendomains knows (links to elsewhere, copies). Folders may be missing. */
export async function readConfigs(dom0: Dom0): Promise<AtRest[]> {
  const byFile = new Map<string, { path: string; autostartPath: string | null }>();
  for (const { path, real } of await filesIn(dom0.etcFolder)) {
    if (path.endsWith('.cfg') && !byFile.has(real)) byFile.set(real, { path, autostartPath: null });
  }
  for (const { path, real } of await filesIn(dom0.autoFolder)) {
    const known = byFile.get(real);
    if (known === undefined) byFile.set(real, { path: real, autostartPath: path });
    else known.autostartPath ??= path;
  }
  return Promise.all([...byFile.values()].map(({ path, autostartPath }) => readConfig(path, autostartPath)));
}

/** A saved image: its VM by the image's own head, or by the file's name when that does not tell. */
export interface SavedImage {
  path: string;
  name: string;
  uuid: string | null;
}

/** The images that xendomains restores at boot. */
export async function readSavedImages(dom0: Dom0): Promise<SavedImage[]> {
  const files = await filesIn(dom0.saveFolder);
  return Promise.all(
    files.map(async ({ path }) => {
      const about = await readSavedImage(path).catch(notThere);
      return { path, name: about?.name ?? basename(path), uuid: about?.uuid ?? null };
    }),
  );
}

/** The files of a folder, hidden ones left out, with the files behind links; a link to nothing starts nothing and is left out. */
async function filesIn(folder: string): Promise<{ path: string; real: string }[]> {
  const names = await entered()
    .readdir(folder)
    .catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    });
  const files = names
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map(async (name) => {
      const path = join(folder, name);
      const status = await entered().stat(path).catch(notThere);
      const real = status?.kind === 'file' ? await entered().realpath(path).catch(notThere) : null;
      return real === null ? null : { path, real };
    });
  return (await Promise.all(files)).filter((file) => file !== null);
}

/** Xen's own default. */
const defaultMemoryMebibytes = 32;

async function readConfig(path: string, autostartPath: string | null): Promise<AtRest> {
  const file = basename(path);
  const found: AtRest = {
    path,
    autostartPath,
    name: file.replace(/\.cfg$/, ''),
    uuid: null,
    config: null,
    disks: [],
    memoryBytes: 0,
    problem: null,
  };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await entered().readFile(path));
    const config = parseXlConfig(text, file);
    found.config = config;
    const name = configString(config, 'name');
    if (name === null) found.problem = `${file} names no VM`;
    else found.name = name;
    found.uuid = configString(config, 'uuid')?.toLowerCase() ?? null;
    found.memoryBytes = memoryBytesOf(config);
    found.disks = configDisks(config);
  } catch (error) {
    if (isAway(error)) throw error;
    found.problem = isSealiftError(error) ? error.message : `${file} cannot be read (${errorCode(error) || 'unknown'})`;
  }
  return found;
}

/** What a domain of the configuration takes. */
export function memoryBytesOf(config: XlConfig): number {
  return (configNumber(config, 'memory') ?? configNumber(config, 'maxmem') ?? defaultMemoryMebibytes) * 1024 * 1024;
}
