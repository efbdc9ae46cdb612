import { fileURLToPath } from 'node:url';

/** Where tests keep what is slow to make: the Temporal server's binary and the workflow bundle. */
export const testCache = fileURLToPath(new URL('../../.sealift/test-cache', import.meta.url));
