import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { runScript } from './run-script.ts';

const folder = new URL('./', import.meta.url);
const scripts = readdirSync(folder).filter((name) => name.endsWith('.txt'));

describe('the command says and returns what its scripts say', () => {
  test.concurrent.each(scripts)(
    '%s',
    async (name) => {
      const { said, expected } = await runScript(readFileSync(new URL(name, folder), 'utf8'));
      expect(said).toBe(expected);
    },
    120_000, // some thirty processes, on a machine that may be busy
  );
});
