import { errorKind, errorTypes } from '../../domain/error-types.ts';
import type { ErrorType } from '../../domain/error-types.ts';
import { tableRow } from './table-row.ts';

/** The table of all error types as Markdown. */
export function errorsPage(): string {
  const rows = (Object.keys(errorTypes) as ErrorType[]).map((type) => {
    const kind = errorKind(type);
    const cells = [
      `\`${type}\``,
      kind.meaning,
      kind.hint ?? '',
      kind.retryable ? 'yes' : '',
      String(kind.exitCode ?? 1),
    ];
    return tableRow(cells);
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
