import base from './jest.config.js';

/** The wider suite: whole systems with workers killed, power lost, moves refused. @type {import('jest').Config} */
export default {
  ...base,
  roots: ['<rootDir>/test/faults'],
  testPathIgnorePatterns: ['/node_modules/'],
};
