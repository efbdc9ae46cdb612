// `npm run build`: dist/ as it is published. tsc emits; what is not TypeScript is copied; programs become executable.
import { chmod, copyFile, cp, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

/** Programs that are started by their file, not imported. */
const programs = ['cli/sealift.js'];
/** Folders whose files without an ending are executables of ours (the stand-in `xl`). */
const scriptFolders = ['infra/lab'];
/** What is read as it is: the source of the emulated line, which is built where it is wanted, and the plans of experiments. */
const readFiles = ['infra/lab/wan/emulator.c', 'bench/experiment/plans'];

await rm(dist, { recursive: true, force: true });
await execa('tsc', ['-p', 'tsconfig.build.json'], {
  cwd: root,
  preferLocal: true,
  stdout: 'inherit',
  stderr: 'inherit',
});
for (const folder of scriptFolders) {
  for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
    if (entry.isFile() && !entry.name.includes('.')) await copyProgram(join(folder, entry.name));
  }
}
for (const path of readFiles) await cp(join(root, path), join(dist, path), { recursive: true });
for (const program of programs) await chmod(join(dist, program), 0o755);

/** Copies an executable to the same place in dist/. */
async function copyProgram(path: string): Promise<void> {
  await mkdir(dirname(join(dist, path)), { recursive: true });
  await copyFile(join(root, path), join(dist, path));
  await chmod(join(dist, path), 0o755);
}
