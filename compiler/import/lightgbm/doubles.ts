import { significantBits } from '../shared/thresholds.ts';
import type { FeatureRange, LgbTree } from './parse.ts';

/** What stands for infinity in the files of LightGBM (its AvoidInf). */
const HUGE = 1e300;
/** Bits of the middle of two float32 between the same powers of 2. */
const MIDDLE = 25;
/** More bits come of neighbours in the data of which one is less than a hundredth of the other, which is no more likely than data of doubles. */
const MOST_MORE = 8;

/**
 * Whether rows of float32 would lose what a model tells apart: whether some feature cannot have been float32 when the model was trained. A
 * threshold is half-way between two neighbours in the training data (and a step up). Of float32 data it has at most 25 significant bits, or a
 * bit more for each power of 2 between the neighbours; and no other neighbours have that power of 2 between them.
 */
export function needsDoubles(trees: readonly LgbTree[], ranges: readonly (FeatureRange | undefined)[]): boolean {
  const byFeature = new Map<number, Set<number>>();
  for (const t of trees)
    t.threshold.forEach((x, i) => {
      if (((t.decision[i] ?? 0) & 1) !== 0 || x === 0 || Math.abs(x) >= HUGE) return;
      const feature = t.feature[i] ?? 0;
      const had = byFeature.get(feature);
      if (had) had.add(x);
      else byFeature.set(feature, new Set([x]));
    });
  return [...byFeature].some(([feature, thresholds]) => !mayBeFloats(thresholds, ranges[feature]));
}
function mayBeFloats(thresholds: ReadonlySet<number>, range: FeatureRange | undefined): boolean {
  const crossed = new Set<string>();
  for (const x of thresholds) {
    const { bits, exponent } = significantBits(x);
    const more = bits - MIDDLE;
    if (more > MOST_MORE) return false;
    // The smaller of the two neighbours is below the least of the powers of 2 between them.
    const least = 2 ** (exponent - more + 1);
    if (more > 0 && range && (x > 0 ? range.lo >= least : range.hi <= -least)) return false;
    for (let e = exponent; e > exponent - more; e--) {
      const power = `${Math.sign(x)} ${e}`;
      if (crossed.has(power)) return false;
      crossed.add(power);
    }
  }
  return true;
}
