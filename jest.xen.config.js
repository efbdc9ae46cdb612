import base from './jest.config.js';

/** Two real Xen hosts under QEMU: `npm run test:xen`. @type {import('jest').Config} */
export default {
  ...base,
  roots: ['<rootDir>/test/xenlab'],
  testPathIgnorePatterns: ['/node_modules/'],
  // There is one lab, which a test file has for itself.
  maxWorkers: 1,
  // An emulated processor on a busy machine: a guest takes half a minute to boot.
  testTimeout: 300_000,
};
