import { expect, it } from '@jest/globals';
import { check } from './check.ts';
import { randomProblem } from './graph.ts';
import { describe } from './model.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const COUNT = Number(process.env['COUNT'] ?? 60);

it('random models give what onnxruntime gives, which runs one operator after the other (SEED and COUNT choose others)', async () => {
  const operators = new Set<string>();
  for (let k = 0; k < COUNT; k++) {
    const p = await randomProblem(SEED * 1_000_003 + k);
    for (const n of p.model.nodes) operators.add(n.op);
    for (const way of ['evaluate', 'wasm'] as const) {
      const { k: end, ...more } = await check(p.model, p.known, way, k % 2 === 1);
      if (end !== 'right')
        throw new Error(`model ${k} of seed ${SEED} is ${end} as ${way}: ${JSON.stringify(more)}\n${describe(p.model)}`);
    }
  }
  // They are models indeed: most of what is drawn is valid.
  if (COUNT >= 60) expect(operators.size).toBeGreaterThan(90);
}, 600_000);
