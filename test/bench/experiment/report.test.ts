import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeReport } from '../../../bench/experiment/report/report.ts';
import { spreadOf } from '../../../bench/experiment/report/spread.ts';

const fixture = new URL('fixtures/study', import.meta.url).pathname;

/** Made of results that were made up: 4 round trips, 2 rates, 3 repeats, one crossing failed. */
describe('the report', () => {
  let folder: string;
  let page: string;
  const svg = (name: string): string => readFileSync(join(folder, name), 'utf8');
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealift-report-'));
    page = readFileSync(writeReport([fixture], folder).page, 'utf8');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('has the three figures of the study for both rates, and the others, each as a file too', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.svg'));
    expect(files).toHaveLength(17);
    for (const name of ['total', 'local', 'phases', 'rate', 'sent', 'processor', 'memory'])
      expect(files.filter((file) => file.endsWith(`-${name}.svg`))).toHaveLength(2);
    expect(files).toContain('study-ratio.svg');
    for (const file of files) expect(page).toContain(`href="${file}"`);
  });

  test('draws of the published study what is known, and says what is not', () => {
    expect(svg('study-100mbps-128mib-files-total.svg')).toContain('published: they cross here');
    expect(svg('study-ratio.svg')).toContain('published: about 60 % from 100 ms on');
    expect(page).toContain('Its curves are not at hand, so none are drawn.');
  });

  test('draws each curve with a mark at each place, and the spread where there is one', () => {
    const total = svg('study-100mbps-128mib-files-total.svg');
    expect([...total.matchAll(/class="curve s\d+"/g)]).toHaveLength(4);
    // Two curves of four places, and one mark of each in the legend.
    expect([...total.matchAll(/class="rim f\d+"/g)]).toHaveLength(10);
    expect([...total.matchAll(/class="bar s\d+"/g)]).toHaveLength(3 * 8);
  });

  test('has the values of each figure in a table: medians with the least and the most', () => {
    const table = page.slice(page.indexOf('Values: “encrypt → scp → decrypt” as a share'));
    const [, first = ''] = /<tr><td>100<\/td><td>([^<]*)<\/td>/.exec(table) ?? [];
    expect(first).toMatch(/^\d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\)$/);
  });

  test('each figure says what it times', () => {
    for (const name of readdirSync(folder).filter((file) => /-(total|bytes|local|phases|ratio)\.svg$/.test(file)))
      expect(svg(name)).toMatch(
        /aria-label="[^"]*(Everything is timed|everything is timed|Only the bytes are timed|alone is timed)/,
      );
  });

  test('tells the machine, the load, the looks at the line, and what failed', () => {
    expect(page).toContain('2 × made up, 8 GiB, Made Up Linux, kernel 6.0.0, Node 24.0.0');
    expect(page).toContain('The line was looked at 24 times and was as asked 24 times');
    expect(page).toContain('<td>IPsec tunnel</td><td>1 Gbit/s, 200 ms</td><td>3</td><td>not done in 900 s</td>');
  });

  test('asks nobody for anything', () => {
    const elsewhere = [...page.matchAll(/(?:src|href|url)\s*[=(]\s*["']?(https?:[^"'\s)]*)/g)].map(([, to]) => to);
    expect(elsewhere).toEqual([]);
  });

  test('is well-formed where it is SVG, with no place that is no number', () => {
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.svg'))) {
      const text = svg(name);
      expect(text).not.toMatch(/NaN|Infinity|undefined/);
      const open = [...text.matchAll(/<(\w+)(?:\s[^>]*[^/])?>/g)].length;
      expect([name, open]).toEqual([name, [...text.matchAll(/<\/\w+>/g)].length]);
    }
  });
});

test('a spread is the middle, the least and the most', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3, count: 3 });
  expect(spreadOf([4, 1])).toEqual({ median: 2.5, least: 1, most: 4, count: 2 });
});
