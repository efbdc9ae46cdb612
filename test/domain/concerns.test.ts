import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { concernKind, concernKinds } from '../../domain/concern-kinds.ts';
import type { ConcernName } from '../../domain/concern-kinds.ts';
import { failedQuestion, refusal } from '../../domain/concern.ts';
import { SealiftError } from '../../domain/error.ts';

const root = join(import.meta.dirname, '../..');
const names = Object.keys(concernKinds) as ConcernName[];

test('a concern has the severity of its name, and a remedy of its own before that of its name', () => {
  expect(refusal('no-space', 'x')).toEqual({
    name: 'no-space',
    severity: 'refuses',
    text: 'x',
    remedy: 'free space, or choose another pool (--pool)',
  });
  expect(refusal('no-space', 'x', 'y').remedy).toBe('y');
  expect(refusal('disk-unnamed', 'x').remedy).toBeNull();
  expect(failedQuestion(new SealiftError('landing-away', 'x', { hint: 'y' }))).toEqual({
    name: 'landing-away',
    severity: 'refuses',
    text: 'x',
    remedy: 'y',
  });
});

test('docs/concerns.md has each concern with its severity, and no other', () => {
  const words = { refuses: 'refusal', warns: 'warning', note: 'note' };
  const page = readFileSync(join(root, 'docs/concerns.md'), 'utf8');
  const told = [...page.matchAll(/^\| `([^`]+)` \| (\w+) \| /gm)].map(
    ([, name, severity]) => `${String(name)} ${String(severity)}`,
  );
  expect(told).toEqual(names.map((name) => `${name} ${words[concernKind(name).severity]}`));
});

describe('each concern', () => {
  const code = sources('activities', 'xen', 'workflows');
  const tests = sources('test');

  test.each(names)('%s is raised somewhere, has a test, and says what it means', (name) => {
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(concernKind(name).meaning).toMatch(/[^.]$/);
    expect(concernKind(name).remedy ?? 'x').toMatch(/[^.]$/);
    expect(code.some((text) => text.includes(`'${name}'`))).toBe(true);
    expect(tests.some((text) => new RegExp(`[' ]${name}['":]`).test(text))).toBe(true);
  });
});

/** The text of every file of these folders. */
function sources(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => path !== import.meta.filename)
      .map((path) => readFileSync(path, 'utf8')),
  );
}
