import { constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** Whether files in `folder` can be made immutable: null, or why not in one line. */
export async function hasImmutable(folder: string): Promise<string | null> {
  return tryIn(folder, async (file) => {
    const chattr = async (flag: string): Promise<string | null> => {
      const result = await execa('chattr', [flag, file], { reject: false, stdin: 'ignore', timeout: 10_000 });
      if (result.exitCode === 0) return null;
      return result.stderr === '' ? (result.shortMessage ?? 'chattr failed') : (result.stderr.split('\n')[0] ?? '');
    };
    const problem = await chattr('+i');
    if (problem !== null) return withoutPath(problem, file, folder);
    try {
      // The flag alone proves nothing: some file systems take it and write all the same.
      const opened = await open(file, 'r+').catch(() => null);
      await opened?.close();
      return opened === null ? null : `chattr +i has no effect in ${folder}`;
    } finally {
      await chattr('-i');
    }
  });
}

/** Whether files in `folder` can be opened past the page cache: null, or why not in one line. */
export async function hasDirect(folder: string): Promise<string | null> {
  return tryIn(folder, async (file) => {
    const opened = await open(file, constants.O_RDWR | constants.O_DIRECT);
    await opened.close();
    return null;
  });
}

/** Gives `act` a small file of its own in `folder`; what it throws becomes the line. */
async function tryIn(folder: string, act: (file: string) => Promise<string | null>): Promise<string | null> {
  let own: string | null = null;
  try {
    own = await mkdtemp(join(folder, '.sealift-doctor-'));
    const file = join(own, 'file');
    const made = await open(file, 'wx');
    await made.writeFile(Buffer.alloc(4096));
    await made.close();
    return await act(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return `${code} in ${folder}`;
  } finally {
    if (own !== null) await rm(own, { recursive: true, force: true });
  }
}

function withoutPath(text: string, file: string, folder: string): string {
  return text.replaceAll(file, `a file in ${folder}`);
}
