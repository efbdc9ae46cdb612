import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where tests keep what is slow to make: the Temporal server's binary, the workflow bundle, and what Node makes of the sources. */
export const testCache = fileURLToPath(new URL('../../.sealift/test-cache', import.meta.url));

// Halves what it takes to start a worker, which tests do all the time.
process.env.NODE_COMPILE_CACHE ??= join(testCache, 'node');
