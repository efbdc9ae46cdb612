import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { errorKind, errorTypes } from '../../domain/error-types.ts';
import type { ErrorType } from '../../domain/error-types.ts';
import { SealiftError, isSealiftError } from '../../domain/error.ts';

const types = Object.keys(errorTypes) as ErrorType[];

describe('errors', () => {
  test('a hint of the thrower comes before the hint of the type', () => {
    expect(new SealiftError('no-space', 'x').hint).toBe('free space or choose another pool (--pool)');
    expect(new SealiftError('no-space', 'x', { hint: 'y' }).hint).toBe('y');
    expect(new SealiftError('internal', 'x').hint).toBeUndefined();
  });

  test('are known across realms, and others are not taken for them', () => {
    const same = new SealiftError('disk-io', 'x', { cause: new Error('EIO') });
    expect(isSealiftError(same)).toBe(true);
    expect(same.cause).toBeInstanceOf(Error);
    expect(isSealiftError(Object.assign(new Error('x'), { name: 'SealiftError', type: 'disk-io' }))).toBe(true);
    expect(isSealiftError(Object.assign(new Error('x'), { name: 'SealiftError', type: 'no-such-type' }))).toBe(false);
    expect(isSealiftError(new Error('x'))).toBe(false);
    expect(isSealiftError({ name: 'SealiftError', type: 'disk-io' })).toBe(false);
    expect(isSealiftError(runInNewContext('null'))).toBe(false);
  });

  test.each(types)('%s has a lower-case line without a period, and stands in docs/errors.md', (type) => {
    expect(type).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
    expect(errorKind(type).meaning).toMatch(/^[^A-Z].*[^.]$/);
    expect(readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')).toContain(`| \`${type}\` |`);
  });
});
