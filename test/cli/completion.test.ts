import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { runCli } from './fake-io.ts';

async function bashWords(...line: string[]): Promise<string[]> {
  const { stdout: script } = await runCli(['completion', 'bash'], {});
  const words = line.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${words}); COMP_CWORD=${String(line.length - 1)}; _sealift; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await execa('bash', ['--norc', '-c', `${script}\n${ask}`], { stdin: 'ignore' });
  return stdout.split('\n').filter(Boolean);
}

describe('completion', () => {
  test('bash completes commands, subcommands, options and their values', async () => {
    expect(await bashWords('sealift', 'mig')).toEqual(['migrate']);
    expect(await bashWords('sealift', 'host', 't')).toEqual(['trust']);
    expect(await bashWords('sealift', 'migrate', 'web-1', '--on')).toEqual(['--on-stuck-guest']);
    expect(await bashWords('sealift', 'migrate', 'web-1', '--method', '')).toEqual([
      'sealed',
      'staged',
      'tunnel',
      'live',
    ]);
    expect(await bashWords('sealift', '--address', 'a:1', 'vm', 'l')).toEqual(['list']);
  });

  test('zsh gets a function file with every command', async () => {
    const { stdout } = await runCli(['completion', 'zsh'], {});
    expect(stdout.startsWith('#compdef sealift\n')).toBe(true);
    for (const command of ['migrate', 'host trust', 'schedule create'])
      expect(stdout).toContain(`'${command}') commands=`);
  });
});
