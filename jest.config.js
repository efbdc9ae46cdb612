/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  rootDir: '.',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // Minutes long: `npm run test:faults` and `npm run test:xen`, each with a configuration of its own.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(faults|matrix|soak|wan|xenlab)/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  maxWorkers: 2,
  testTimeout: 30_000,
};
