import { execa } from 'execa';

/** Command lines that name the folder. */
export async function processesOf(path: string): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eo', 'args']);
  return stdout.split('\n').filter((args) => args.includes(path) && !args.startsWith('ps '));
}
