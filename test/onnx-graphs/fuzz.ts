// Random models of 5 to 40 operators against onnxruntime, which runs them operator by operator without optimisations:
// `npm run fuzz -- onnx [COUNT] [SEED] [FROM] [--on evaluate,program,wasm,c] [--free]`. Each difference is made small and printed; its model is
// written to out/fuzz with its inputs. `--free` leaves the sizes of inputs open. Ends with exit code 1 if there is any.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeNpz } from '../../compiler/data/npz.ts';
import { projectDir } from '../../fixtures/paths.ts';
import { WAYS, type Way } from '../conformance/runners.ts';
import { check, type End } from './check.ts';
import { randomProblem, shrink } from './graph.ts';
import { describe, fileOf } from './model.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { on: { type: 'string', default: 'evaluate,wasm' }, free: { type: 'boolean', default: false } },
});
const [count = 1000, seed = 1, from = 0] = positionals.map(Number);
const ways = values.on.split(',').filter((w): w is Way => WAYS.some(x => x === w));
const tally = new Map<string, number>();
const note = (what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1);
const operators = new Map<string, number>();
let faults = 0;

for (let k = from; k < from + count; k++) {
  const p = await randomProblem(seed * 1_000_003 + k);
  for (const n of p.model.nodes) operators.set(n.op, (operators.get(n.op) ?? 0) + 1);
  for (const way of ways) {
    const end = await check(p.model, p.known, way, values.free);
    note(`${way}: ${end.k}${end.k === 'refused' ? ` ${end.code}` : ''}`);
    if (end.k === 'right' || end.k === 'refused') {
      if (end.k === 'refused' && process.env['SHOW']) console.log(`${k}: ${end.code} ${end.why}`);
      continue;
    }
    faults++;
    const same = (e: End): boolean => e.k === end.k;
    const small = await shrink(p, async m => same(await check(m, p.known, way, values.free)));
    const last = await check(small, p.known, way, values.free);
    const dir = join(projectDir, 'out', 'fuzz');
    mkdirSync(dir, { recursive: true });
    const file = join(dir, `${seed}-${k}-${way}`);
    writeFileSync(`${file}.onnx`, fileOf(small));
    writeFileSync(`${file}.npz`, writeNpz(small.inputs));
    console.log(`model ${k} of seed ${seed} as ${way}: ${last.k} ${'why' in last ? last.why : ''}\n${describe(small)}\n`);
  }
}
console.log(
  [...tally]
    .sort()
    .map(([what, n]) => `${what} ${n}`)
    .join('\n'),
);
console.log(
  `${operators.size} operators: ${[...operators]
    .sort()
    .map(([op, n]) => `${op} ${n}`)
    .join(', ')}`,
);
console.log(`${faults} differences in ${count} models of seed ${seed}, from ${from}`);
process.exitCode = faults > 0 ? 1 : 0;
