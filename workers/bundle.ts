import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Everything that the bundle is made from beside the packages; all of it is worker-safe. */
const sources = ['workflows', 'domain'];
/** Packages whose code is in the bundle: another version is another bundle. */
const packages = ['@temporalio/worker', '@temporalio/workflow', 'zod'];

/**
 * The bundle of all workflows: taken from `cacheFolder` when it was made from these very sources, else made there, which
 * takes a few seconds. Returns the path of its code.
 */
export async function workflowBundle(cacheFolder: string): Promise<string> {
  const codePath = join(cacheFolder, `workflows-${await contentHash()}.js`);
  if (
    await access(codePath).then(
      () => true,
      () => false,
    )
  )
    return codePath;
  const logger = new DefaultLogger('WARN', ({ level, message }) => process.stderr.write(`${level} ${message}\n`));
  const { code } = await bundleWorkflowCode({ workflowsPath: projectPath(`workflows/index${extension()}`), logger });
  await mkdir(cacheFolder, { recursive: true });
  const fresh = `${codePath}.${randomUUID()}`;
  await writeFile(fresh, code);
  await rename(fresh, codePath);
  await forgetOthers(cacheFolder, codePath);
  return codePath;
}

/** `.ts` when run from the sources, `.js` from the published package. */
function extension(): string {
  return import.meta.url.endsWith('.ts') ? '.ts' : '.js';
}

function projectPath(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

async function contentHash(): Promise<string> {
  const hash = createHash('sha256');
  const require = createRequire(import.meta.url);
  for (const name of packages) hash.update(`${name} ${versionOf(require, name)}\n`);
  for (const folder of sources) {
    const root = projectPath(folder);
    const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith(extension()));
    for (const file of files.sort()) hash.update(`${folder}/${file}\n`).update(await readFile(join(root, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

function versionOf(require: NodeJS.Require, name: string): string {
  const manifest = require(`${name}/package.json`) as { version: string };
  return manifest.version;
}

/** Bundles of other sources; one that another process reads meanwhile stays readable to it. */
async function forgetOthers(folder: string, keep: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (/^workflows-[0-9a-f]{16}\.js$/.test(name) && path !== keep) await rm(path, { force: true });
  }
}
