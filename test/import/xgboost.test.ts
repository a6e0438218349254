import { describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { TREE_STRATEGIES } from '../../compiler/ops/lowering.ts';
import { archives, casesOf } from '../trees/cases.ts';
import { differences } from '../trees/check.ts';
import { byBundle, byEvaluator } from '../trees/ways.ts';

/** `npm run trees` compiles every case; here every one of the newest version, and of the others each in its turn. */
const EVERY = 5;
const all = archives('xgboost');

describe('what XGBoost predicts', () => {
  it('is there for these versions', () => {
    expect(all.map(a => /-(.*)\.tar/.exec(a)?.[1])).toEqual(
      expect.arrayContaining(['0.90', '1.0.2', '1.2.1', '1.3.3', '1.6.2', '1.7.6', '2.1.4', '3.0.5', '3.2.0']),
    );
  });
  it.each(all)('is what the evaluator gives: %s', archive => {
    const cases = casesOf(archive);
    expect(cases.length).toBeGreaterThan(40);
    expect(cases.flatMap(c => differences(c, byEvaluator(c)))).toEqual([]);
  });
  it.each(all)(
    'is what bundles give: %s',
    async archive => {
      const newest = archive === all.at(-1);
      const cases = casesOf(archive).filter((_, i) => newest || i % EVERY === all.indexOf(archive) % EVERY);
      const found: string[] = [];
      for (const c of cases) found.push(...differences(c, await byBundle(c)));
      expect(found).toEqual([]);
    },
    120_000,
  );
  // Whatever a strategy does not serve it leaves to the plain walk.
  const TRICKY = [
    'depth1',
    'depth12',
    'missing',
    'lossguide',
    'pruned',
    'constant',
    'softprob-parallel',
    'partition-missing',
    'onehot',
    'dart',
  ];
  it.each(TREE_STRATEGIES.filter(s => s !== 'auto'))(
    'is what the strategy %s gives',
    async treeStrategy => {
      const cases = casesOf(must(all.at(-1))).filter(c => [...TRICKY, 'vector', 'early-middle', 'folds-vote'].includes(c.name));
      expect(cases.length).toBeGreaterThan(TRICKY.length);
      const found: string[] = [];
      for (const c of cases) found.push(...differences(c, await byBundle(c, { treeStrategy })));
      expect(found).toEqual([]);
    },
    120_000,
  );
});
