/** The little that the figures need of SVG. */

/** A number with as many digits as a picture needs. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

type Attributes = Record<string, string | number>;

/** One element; numbers are places. */
export function element(name: string, attributes: Attributes, inside = ''): string {
  const words = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === 'number' ? px(value) : escape(value)}"`,
  );
  return inside === '' ? `<${name}${words.join('')}/>` : `<${name}${words.join('')}>${inside}</${name}>`;
}

export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escape(words));
}

export function line(x1: number, y1: number, x2: number, y2: number, of: string): string {
  return element('line', { x1, y1, x2, y2, class: of });
}

/** How wide a text of this size is, about. */
export function textWidth(words: string, size: number): number {
  return words.length * size * 0.53;
}

/** Words in lines that are not wider than that. */
export function wrap(words: string, size: number, width: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || textWidth(`${last} ${word}`, size) > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Colours that most eyes tell apart (Okabe and Ito's, and some more), on light paper and on dark. */
const colours: readonly [light: string, dark: string][] = [
  ['#0072b2', '#4db3ee'],
  ['#e69f00', '#ffb733'],
  ['#009e73', '#2fd3a4'],
  ['#cc79a7', '#eb9bc8'],
  ['#d55e00', '#ff8a3d'],
  ['#56b4e9', '#9cd6f7'],
  ['#7a7a7a', '#a6a6a6'],
  ['#8a6d3b', '#cda968'],
  ['#4b4b9b', '#a3a3f0'],
  ['#a8c66c', '#c4e08a'],
  ['#cfcfcf', '#555960'],
];

function sheet(pick: 0 | 1): string {
  const [paper, ink, faint, grid, band] =
    pick === 0
      ? ['#ffffff', '#1c1c1c', '#5c5c5c', '#e3e3e3', '#f0e9d2']
      : ['#17191d', '#eeeeee', '#b0b0b0', '#34373d', '#3d3823'];
  return [
    `.paper{fill:${paper}}.ink{fill:${ink}}.faint{fill:${faint}}`,
    `.axis{stroke:${faint}}.grid{stroke:${grid}}.band{fill:${band}}.known{stroke:${ink}}.rim,.halo{stroke:${paper}}`,
    ...colours.map((one, index) => `.f${String(index)}{fill:${one[pick]}}.s${String(index)}{stroke:${one[pick]}}`),
  ].join('');
}

const style = [
  'text{font-family:"DejaVu Sans",Verdana,Helvetica,Arial,sans-serif}',
  '.axis,.grid,.known{stroke-width:1}.known{stroke-dasharray:6 4;stroke-width:1.5}.curve{fill:none;stroke-width:2}.bar{stroke-width:1.5}.rim{stroke-width:1}.halo{paint-order:stroke;stroke-width:4;stroke-linejoin:round}',
  sheet(0),
  `@media (prefers-color-scheme:dark){${sheet(1)}}`,
].join('');

/** A whole picture, which stands for itself: light or dark as its reader has it. */
export function picture(width: number, height: number, title: string, told: string, inside: string[]): string {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    viewBox: `0 0 ${px(width)} ${px(height)}`,
    width: px(width),
    height: px(height),
    role: 'img',
    'aria-label': `${title}. ${told}`,
  };
  const paper = element('rect', { width: px(width), height: px(height), class: 'paper' });
  return element('svg', attributes, [`<style>${style}</style>`, paper, ...inside].join('\n'));
}
