// Writes the pages of docs/ that are made from tables in domain/; with --check it only says whether they are what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { concernsPage } from './concerns.ts';
import { errorsPage } from './errors.ts';

const pages = { 'docs/errors.md': errorsPage(), 'docs/concerns.md': concernsPage() };
const { values } = parseArgs({ options: { check: { type: 'boolean' } } });

for (const [path, page] of Object.entries(pages)) {
  const file = new URL(`../../${path}`, import.meta.url);
  if (values.check !== true) {
    writeFileSync(file, page);
  } else if (readFileSync(file, 'utf8') !== page) {
    process.stderr.write(`${path} is not what its table in domain/ says\nhint: npm run docs\n`);
    process.exitCode = 1;
  }
}
