// `npm run bench -- NAME [OPTIONS]`: runs bench/NAME.ts. pipeline: what sealing costs. move: a whole move of a small disk.
// memory: what the workers hold, for disks of different sizes. xen: moves between two real Xen hosts, emulated; live: of guests that run. wan: moves over a long line;
// transfer: where the time of the bytes alone goes on one. Measure when nothing else runs on the machine.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

const [name = '', ...options] = process.argv.slice(2);
const script = join(import.meta.dirname, `${name}.ts`);
if (!/^[a-z]+$/.test(name) || !existsSync(script)) {
  process.stderr.write('usage: npm run bench -- pipeline|move|memory|xen|live|wan|transfer [OPTIONS]\n');
  process.exit(2);
}
const { exitCode } = await execa(process.execPath, [script, ...options], { stdio: 'inherit', reject: false });
process.exit(exitCode ?? 1);
