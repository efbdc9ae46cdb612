import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan';
/** A part of a line: text, or text in a style. */
export type Piece = string | readonly [Style, string];

/** Joins the pieces of one line, cut at `width` columns; styles go on top afterwards, so that they never count as columns. */
export function paint(pieces: readonly Piece[], width: number, colour: boolean): string {
  let left = width;
  let line = '';
  for (const piece of pieces) {
    const [style, whole] = typeof piece === 'string' ? [null, piece] : piece;
    const text = cut(whole, left);
    left -= text.length;
    line += colour && style !== null && text !== '' ? styleText(style, text, { validateStream: false }) : text;
  }
  return line.trimEnd();
}

/** The first `columns` characters, the last of them an ellipsis when something is left out. */
function cut(text: string, columns: number): string {
  if (text.length <= columns) return text;
  return columns <= 0 ? '' : `${text.slice(0, columns - 1)}…`;
}

/** `━━━━━╸────`: `share` (0 to 1) of `columns`, to half a column. */
export function bar(share: number, columns: number): readonly [Piece, Piece] {
  const halves = Math.round(Math.min(1, Math.max(0, share)) * columns * 2);
  const full = '━'.repeat(Math.floor(halves / 2)) + (halves % 2 === 1 ? '╸' : '');
  return [
    ['green', full],
    ['dim', '─'.repeat(columns - full.length)],
  ];
}
