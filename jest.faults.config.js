import base from './jest.config.js';

/** The wider suite: whole systems with workers killed, power lost, moves refused. @type {import('jest').Config} */
export default {
  ...base,
  roots: ['<rootDir>/test/faults', '<rootDir>/test/matrix', '<rootDir>/test/soak'],
  testPathIgnorePatterns: ['/node_modules/'],
  // They wait for most of their time, so two processors carry one more than there are.
  maxWorkers: 3,
  testSequencer: '<rootDir>/jest.sequencer.js',
  // A test takes five to fifteen seconds; a machine that is busy with other things takes a multiple of that.
  testTimeout: 240_000,
};
