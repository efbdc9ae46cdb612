import base from './jest.config.js';

/** What touches a dom0, once more through an SSH server: `npm run test:ssh`. @type {import('jest').Config} */
export default {
  ...base,
  testMatch: [
    '**/test/storage/{disk,holders,mark,pool,write-stamp,zero}.test.ts',
    '**/test/deed/{fence,fence-loop}.test.ts',
    '**/test/xen/{dom0,gone,save,xl}.test.ts',
    '**/test/lab/conformance.test.ts',
  ],
  setupFilesAfterEnv: ['<rootDir>/test/support/enter-by-ssh.ts'],
  testTimeout: 120_000,
};
