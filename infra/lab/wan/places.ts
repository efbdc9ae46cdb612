import { resolve } from 'node:path';

/** Where the emulator is kept that was built last. */
export const dataFolder = resolve(import.meta.dirname, '../../../.sealift/cache/wan-lab');
