#!/usr/bin/env node
// The command's first file. It imports nothing before it knows that the Node it runs on can load the rest.
const node = process.versions.node;
if (Number.parseInt(node, 10) < 24) {
  process.stderr.write(`sealift: needs Node 24 or newer, this is ${node}\n`);
  process.exitCode = 2;
} else {
  const { main } = await import('./main.ts');
  const { processIo } = await import('./io.ts');
  process.exitCode = await main(process.argv.slice(2), processIo());
}
export {};
