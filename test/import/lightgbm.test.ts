import { describe, expect, it } from '@jest/globals';
import { archives, casesOf } from '../trees/cases.ts';
import { differences } from '../trees/check.ts';
import { byBundle, byEvaluator } from '../trees/ways.ts';

const all = archives('lightgbm');

describe('what LightGBM predicts', () => {
  it.each(all)('is what the evaluator gives: %s', archive => {
    const cases = casesOf(archive);
    expect(cases.length).toBeGreaterThan(0);
    expect(cases.flatMap(c => differences(c, byEvaluator(c)))).toEqual([]);
  });
  it.each(all)(
    'is what bundles give: %s',
    async archive => {
      // `npm run trees` compiles all.
      const cases = casesOf(archive).filter((_, i) => archive === all.at(-1) || i % 4 === 0);
      const found: string[] = [];
      for (const c of cases) found.push(...differences(c, await byBundle(c)));
      expect(found).toEqual([]);
    },
    120_000,
  );
});
