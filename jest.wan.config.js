import base from './jest.config.js';

/** The emulated long line: `npm run test:wan`. @type {import('jest').Config} */
export default {
  ...base,
  roots: ['<rootDir>/test/wan'],
  testPathIgnorePatterns: ['/node_modules/'],
  // What is measured must have the machine for itself.
  maxWorkers: 1,
  testTimeout: 120_000,
};
