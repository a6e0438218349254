import { describe, expect, it } from '@jest/globals';
import { symbol } from '../../compiler/core/dim.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { Conv } from '../../compiler/ops/conv/conv.ts';
import { MatMul } from '../../compiler/ops/matmul/matmul.ts';
import type { StepChoices, Tuned } from '../../compiler/ops/tuning.ts';
import type { Steps } from '../../compiler/tune/cache.ts';
import { searchSteps } from '../../compiler/tune/search.ts';
import { noise, single, target } from '../ops/problems.ts';

const window = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] };
const product = single(
  MatMul,
  [{ shape: [symbol('rows', 1, 64), 32] }, { shape: [32, 32], constant: noise('f32', [32, 32], 1) }],
  {},
);
const conv = single(
  Conv,
  [{ shape: [1, 16, 20, 20] }, { shape: [16, 16, 3, 3], constant: noise('f32', [16, 16, 3, 3], 1) }],
  window,
);
const PRODUCT = 'MatMul(f32[1..64,32], const f32[32,32])';

interface Tried {
  readonly found: Steps;
  /** What was opened, in order. */
  readonly opened: readonly StepChoices[];
  readonly told: readonly string[];
}
/** Searches with a clock that runs as `cost` says: so many milliseconds for a run with these choices. */
async function search(graph: Graph, cost: (c: StepChoices) => number, more: object = {}): Promise<Tried> {
  let now = 0;
  const opened: StepChoices[] = [];
  const told: string[] = [];
  const found = await searchSteps({
    graph,
    profile: target('wasm-simd'),
    settings: {},
    known: {},
    shared: false,
    ms: 1e6,
    clock: () => now,
    open: (_: Graph, { steps }: Tuned) => {
      const c = must(Object.values(steps)[0]);
      opened.push(c);
      return Promise.resolve(() => void (now += cost(c)));
    },
    onStep: step => told.push(step),
    ...more,
  });
  return { found, opened, told };
}

describe('the search for what is best', () => {
  it('takes the candidate that takes the least time', async () => {
    const r = await search(product, c => (c.blocks === '3x12' ? 1 : 2));
    expect(r.found).toEqual({ [PRODUCT]: { blocks: '3x12' } });
    expect(r.told).toEqual([PRODUCT]);
    expect(r.opened.map(c => c.blocks)).toEqual(['4x8', '2x8', '5x8', '3x12', '2x16']);
  });
  it('keeps the estimate where nothing is clearly better', async () => {
    expect((await search(product, c => (c.blocks === '3x12' ? 0.99 : 1))).found).toEqual({ [PRODUCT]: { blocks: '4x8' } });
  });
  it('finds one aspect with what was found of those before', async () => {
    const r = await search(conv, c => (c.algorithm === 'direct' ? 1 : 3));
    const [step] = Object.keys(r.found);
    expect(step).toMatch(/^Conv\(f32\[1,20,20,16\], const f32\[16,16,3,3\]\)/);
    expect(r.found).toEqual({ [must(step)]: { algorithm: 'direct', blocks: '4x8' } });
    expect(r.opened.slice(0, 2)).toEqual([{ algorithm: 'transform' }, { algorithm: 'direct' }]);
    expect(r.opened.slice(2).every(c => c.algorithm === 'direct')).toBe(true);
  });
  it('does not measure again what is known', async () => {
    const known = { [PRODUCT]: { blocks: '2x8' } };
    const r = await search(product, () => 1, { known });
    expect([r.found, r.opened, r.told]).toEqual([known, [], []]);
  });
  it('leaves panels as wide as they are for weights that others share', async () => {
    const r = await search(product, c => (c.blocks === '3x12' ? 1 : 2), { shared: true });
    expect(r.opened.map(c => c.blocks)).toEqual(['4x8', '2x8', '5x8']);
  });
  it('ends when time is up, and keeps only what was found by then', async () => {
    const none = await search(product, () => 100, { ms: 150 });
    expect(none.found).toEqual({});
    const part = await search(conv, c => (c.algorithm === 'direct' ? 1 : 3), { ms: 300 });
    expect(Object.values(part.found)).toEqual([{ algorithm: 'direct' }]);
  });
});
