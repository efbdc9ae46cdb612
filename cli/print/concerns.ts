import type { Concern } from '../../client/index.ts';

const marks: Record<Concern['severity'], string> = { note: 'note', warns: 'warning', refuses: 'REFUSED' };

/** Concerns with the gravest first, each with what helps. */
export function concernLines(concerns: Concern[]): string[] {
  const order: Concern['severity'][] = ['refuses', 'warns', 'note'];
  return order
    .flatMap((severity) => concerns.filter((one) => one.severity === severity))
    .flatMap((one) => [
      `  ${marks[one.severity].padEnd(8)} ${one.text}  [${one.name}]`,
      ...(one.remedy === null ? [] : [`  ${' '.repeat(8)} → ${one.remedy}`]),
    ]);
}
