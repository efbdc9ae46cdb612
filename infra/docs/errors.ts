// Writes docs/errors.md from domain/error-types.ts; with --check it only says whether the file is what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { errorKind, errorTypes } from '../../domain/error-types.ts';
import type { ErrorType } from '../../domain/error-types.ts';

const file = new URL('../../docs/errors.md', import.meta.url);
const { values } = parseArgs({ options: { check: { type: 'boolean' } } });

if (values.check !== true) {
  writeFileSync(file, errorsPage());
} else if (readFileSync(file, 'utf8') !== errorsPage()) {
  process.stderr.write('docs/errors.md is not what domain/error-types.ts says\nhint: npm run docs\n');
  process.exitCode = 1;
}

/** The table of all error types as Markdown. */
function errorsPage(): string {
  const rows = (Object.keys(errorTypes) as ErrorType[]).map((type) => {
    const kind = errorKind(type);
    const cells = [
      `\`${type}\``,
      kind.meaning,
      kind.hint ?? '',
      kind.retryable ? 'yes' : '',
      String(kind.exitCode ?? 1),
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '# Errors',
    '',
    'Every error has a type that stays the same, one line that names the thing and the value, and a hint where a person can',
    'do something. The command line prints them as `sealift: LINE  [type]` and `hint: …`; with `--json` they are',
    '`{"error":{"type","message","hint"}}`. *Tried again* says whether Sealift itself tries again without anybody doing',
    'anything; *exit* is the exit code of the command line ([cli.md](cli.md)).',
    '',
    'Made from `domain/error-types.ts` by `npm run docs`.',
    '',
    '| type | what has happened | hint | tried again | exit |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
