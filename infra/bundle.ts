import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const native = 'releases/x86_64-unknown-linux-gnu/index.node';

/**
 * What a worker that runs no workflows loads and never uses: the compiler of workflows, with webpack and swc, and their debugger. As a
 * module it is any name that is asked of it.
 */
const unused = /[\\/]@temporalio[\\/]worker[\\/]lib[\\/](workflow[\\/]bundler|debug-replayer[\\/]index)\.js$/;
const stub = `module.exports = new Proxy(class {}, { get: (own, name) => (name in own ? own[name] : class {}) });`;

/**
 * Puts the host worker into a folder, `host.js` being its program: a few files that need nothing but Node and this kernel's glibc. Its threads are
 * programs beside it, and what they share with it is in files of their own, since a thread knows the module that seals by its address.
 */
export async function bundleHostWorker(into: string): Promise<void> {
  await build({
    entryPoints: ['workers/host.ts', 'transport/sender-thread.ts', 'transport/landing-thread.ts'].map((path) =>
      join(root, path),
    ),
    outdir: into,
    entryNames: '[name]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    // ssh2 tries them and does without.
    external: ['cpu-features', '*/sshcrypto.node'],
    plugins: [without(unused)],
    banner: {
      // Packages of the older kind ask for these.
      js: [
        `import { createRequire as __createRequire } from 'node:module';`,
        `const require = __createRequire(import.meta.url);`,
        `const __filename = import.meta.filename, __dirname = import.meta.dirname;`,
      ].join(''),
    },
  });
  const bridge = dirname(createRequire(import.meta.resolve('@temporalio/worker')).resolve('@temporalio/core-bridge'));
  await mkdir(dirname(join(into, native)), { recursive: true });
  await copyFile(join(bridge, native), join(into, native));
  await copyFile(join(root, 'package.json'), join(into, '../package.json'));
  await writeFile(join(into, 'package.json'), '{ "type": "module" }\n');
}

function without(files: RegExp): Plugin {
  return {
    name: 'without',
    setup(building) {
      building.onLoad({ filter: files }, () => ({ contents: stub, loader: 'js' }));
    },
  };
}
