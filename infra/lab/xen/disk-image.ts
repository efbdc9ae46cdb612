import { truncate, writeFile } from 'node:fs/promises';
import { execa } from 'execa';

/** An ext4 image, sparse and without a journal, that holds what is in a folder. Needs root: the files keep their owners. */
export async function packFolder(folder: string, image: string, bytes: number): Promise<void> {
  await writeFile(image, '');
  await truncate(image, bytes);
  await execa('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-d', folder, image]);
}
