/** What a compilation makes grows linearly with the nodes of a model, also where each value is used twice: nothing walks a graph as a tree. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { CHAINS, doublingFunctions, nestedFunctions, nestedIfs } from './chains.ts';
import { limited, said, type Done } from './limited.ts';

jest.setTimeout(400_000);
const child = limited();
afterAll(() => child.end());

describe('a chain in which each value is used twice', () => {
  it.each(CHAINS)('$name', async ({ of, dims, code = 'compiled' }) => {
    const done: Done[] = [];
    for (const steps of [12, 24, 48])
      done.push(await child.compile({ model: of(steps), target: 'c-portable', ...(dims && { dims }) }, true));
    const [a, b, c] = done.map(d => must(d));
    expect(said(must(c))).toBe(code);
    if (code !== 'compiled') return;
    const grows = (of: (d: Done) => number, slack: number): void => {
      const [first, second] = [of(must(b)) - of(must(a)), of(must(c)) - of(must(b))];
      // Twice the steps make twice as much, and names get longer.
      expect(second).toBeLessThanOrEqual(2.6 * Math.max(first, 0) + slack);
    };
    for (const phase of Object.keys(must(c).letters)) grows(d => d.letters[phase] ?? 0, 1500);
    grows(d => d.bytes, 6000);
  });
});
describe('a chain of thousands', () => {
  it.each([
    ['elementwise', 10_000],
    ['lists of sizes', 20_000],
    ['constants', 20_000],
    ['views', 2000],
    ['products', 2000],
    ['index maps', 2000],
    ['assembled and cut', 2000],
  ] as const)('%s, %i steps', async (name, steps) => {
    const { of, dims } = must(CHAINS.find(c => c.name === name));
    const done = await child.compile({ model: of(steps), target: 'c-portable', ...(dims && { dims }) });
    expect(said(done)).toBe('compiled');
  });
});
describe('functions and sub-graphs inside of each other', () => {
  it.each([
    ['60 functions', nestedFunctions(60), 'compiled'],
    ['5000 functions', nestedFunctions(5000), 'E202'],
    ['60 branches', nestedIfs(60), 'compiled'],
    ['140 branches', nestedIfs(140), 'E202'],
    ['600 branches', nestedIfs(600), 'E203'],
    ['functions that double 40 times', doublingFunctions(40), 'E202'],
  ])('%s', async (_, model, code) => {
    expect(said(await child.compile({ model, target: 'c-portable' }))).toBe(code);
  });
});
