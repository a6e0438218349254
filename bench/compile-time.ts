/**
 * How long compilation takes: `npm run bench -- compile`. Generated networks of 1,000, 10,000 and 50,000 nodes show how each phase and
 * pass grows (microseconds a node should stay level); real models show what a user waits for.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../compiler/index.ts';
import type { CompileOptions, Report } from '../compiler/options.ts';
import { dimOptions } from '../fixtures/dims.ts';
import { locate, REAL_MODELS } from '../fixtures/models.ts';
import { deepNetwork } from '../fixtures/synthetic.ts';

const { values: args } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { nodes: { type: 'string', default: '1000,10000,50000' }, filter: { type: 'string', default: 'ppocr' } },
});
const total = (r: Report): number => r.phases.reduce((s, p) => s + p.ms, 0);
/** Milliseconds of every phase and, below it, of every pass. */
function times(r: Report): Map<string, number> {
  const out = new Map<string, number>();
  const add = (name: string, ms: number): void => void out.set(name, (out.get(name) ?? 0) + ms);
  for (const p of r.phases) {
    add(p.name, p.ms);
    if (p.name === 'passes') for (const q of r.passes) add(`  ${q.name}`, q.ms);
  }
  return out;
}
const run = async (o: CompileOptions): Promise<Report> => (await compile({ target: 'wasm-simd', ...o })).report;

// The first compilation loads the code generator.
await run({ model: deepNetwork(100) });
console.log(`# Node ${process.version}; generated networks, microseconds a node`);
const counts = args.nodes.split(',').map(Number);
const columns = new Map<string, (number | undefined)[]>();
for (const [i, n] of counts.entries()) {
  const r = await run({ model: deepNetwork(n) });
  for (const [name, ms] of [...times(r), ['total', total(r)] as const]) {
    const row = columns.get(name) ?? [];
    row[i] = (1000 * ms) / n;
    columns.set(name, row);
  }
}
console.log(`${''.padEnd(24)}${counts.map(n => `${n} nodes`.padStart(14)).join('')}`);
for (const [name, row] of columns) console.log(`${name.padEnd(24)}${row.map(x => (x ?? 0).toFixed(2).padStart(14)).join('')}`);

console.log('\n# real models, seconds');
for (const m of REAL_MODELS.filter(x => x.name.includes(args.filter))) {
  const path = locate(m.name);
  if (path === undefined) continue;
  const bytes = readFileSync(path);
  const r = await run({ model: bytes, file: basename(path), dims: dimOptions(m, bytes) });
  console.log(
    `${m.name.padEnd(24)}${(total(r) / 1000).toFixed(2).padStart(8)}  ${r.phases.map(p => `${p.name} ${(p.ms / 1000).toFixed(2)}`).join(', ')}`,
  );
}
