import { expect, test } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { attempt } from '../tensorflow-mutants/attempt.ts';
import { ownSeeds } from '../tensorflow-mutants/seeds.ts';

/** `npm run fuzz -- tensorflow` runs as many as there is time for, and compiles some. */
test('models with something changed are imported, or refused with a code', async () => {
  const seeds = ownSeeds();
  const ends = new Map<string, number>();
  const faults: string[] = [];
  for (let k = 0; k < 1000; k++) {
    const { end, why, fault } = await attempt(must(seeds[k % seeds.length]), k, false);
    ends.set(end, (ends.get(end) ?? 0) + 1);
    if (fault) faults.push(`${k}: ${why}`);
  }
  expect(faults).toEqual([]);
  // They are changed enough to be refused, and little enough to be read.
  expect(ends.get('imported')).toBeGreaterThan(100);
  expect(ends.size).toBeGreaterThan(6);
});
