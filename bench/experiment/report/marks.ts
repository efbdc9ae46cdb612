import { element, px } from './svg.ts';

const radius = 4.5;

/** A mark of a colour and a form of its own: who sees no colours goes by the form. */
export function mark(x: number, y: number, look: number): string {
  const classes = { class: `rim f${String(look)}` };
  const corners = forms[look % (forms.length + 1)];
  if (corners === undefined) return element('circle', { cx: x, cy: y, r: radius, ...classes });
  const points = corners.map(([dx, dy]) => `${px(x + dx * radius)},${px(y + dy * radius)}`).join(' ');
  return element('polygon', { points, ...classes });
}

/** Corners of the forms; one that is not among them is a circle. */
const forms: readonly (readonly (readonly [number, number])[])[] = [
  [
    [-1, -1],
    [1, -1],
    [1, 1],
    [-1, 1],
  ],
  [
    [0, -1.3],
    [1.2, 1],
    [-1.2, 1],
  ],
  [
    [0, -1.4],
    [1.4, 0],
    [0, 1.4],
    [-1.4, 0],
  ],
  [
    [0, 1.3],
    [1.2, -1],
    [-1.2, -1],
  ],
];
