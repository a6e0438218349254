/** y = floor((a x + b) / c). */
interface DigitalLine {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}
/** Larger coordinates would make products that are no exact doubles. */
const MOST = 2 ** 24;
/** And larger denominators sizes beyond 32 bits. */
const MOST_SLOPE = 2 ** 12;
/** Steps of the search; each finds the two points that forbid a slope most. */
const ROUNDS = 64;

/**
 * The digital line through the points (x[i], y[i]): whole numbers a, b, c, c as small as can be, with y = floor((a x + b) / c) at every point;
 * undefined where there is none. Points may come in any order and more than once.
 *
 * A slope s is possible if all y - s x are less than 1 apart. The two that are farthest apart, if they are more, bound the slope from one
 * side; the next one tried is the simplest fraction within the bounds. (Cutting planes over the definition of Réveillès 1991.)
 */
export function digitalLine(x: ArrayLike<number>, y: ArrayLike<number>): DigitalLine | undefined {
  const n = x.length;
  const at = (list: ArrayLike<number>, i: number): number => list[i] ?? NaN;
  let [first, last] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (!(Number.isInteger(at(x, i)) && Number.isInteger(at(y, i)))) return undefined;
    if (Math.max(Math.abs(at(x, i)), Math.abs(at(y, i))) > MOST) return undefined;
    if (at(x, i) < at(x, first)) first = i;
    if (at(x, i) > at(x, last)) last = i;
  }
  const run = at(x, last) - at(x, first);
  const rise = at(y, last) - at(y, first);
  // Slopes are strictly between the two.
  let low: Fraction = run === 0 ? [-1, 1] : [rise - 1, run];
  let high: Fraction = run === 0 ? [1, 1] : [rise + 1, run];
  for (let round = 0; round < ROUNDS; round++) {
    const slope = simplest(low, high);
    if (!slope) return undefined;
    const [a, c] = slope;
    if (c > MOST_SLOPE) return undefined;
    let [least, most] = [0, 0];
    const height = (i: number): number => c * at(y, i) - a * at(x, i);
    for (let i = 1; i < n; i++) {
      if (height(i) < height(least)) least = i;
      if (height(i) > height(most)) most = i;
    }
    const room = height(least) + c - 1;
    if (height(most) <= room) return safe({ a, b: Math.min(Math.max(0, height(most)), room) + 0, c }, at(x, first), at(x, last));
    const dx = at(x, most) - at(x, least);
    const dy = at(y, most) - at(y, least);
    if (dx === 0) return undefined;
    if (dx > 0) low = [dy - 1, dx];
    else high = [1 - dy, -dx];
  }
  return undefined;
}
/** Sizes are computed in 32 bits. */
function safe(l: DigitalLine, ...ends: readonly number[]): DigitalLine | undefined {
  return ends.every(x => Math.abs(l.a * x) + Math.abs(l.b) + l.c < 2 ** 31) ? l : undefined;
}

/** A numerator and a denominator, which is positive; or 0 for infinity. */
type Fraction = readonly [number, number];
/** The fraction of the least denominator strictly between two (the first of the Stern-Brocot tree); undefined where there is nothing between. */
function simplest([p, q]: Fraction, [r, t]: Fraction): Fraction | undefined {
  if (p * t >= r * q) return undefined;
  const k = Math.floor(p / q);
  if ((k + 1) * t < r) return [p < 0 && r > 0 ? 0 : k + 1, 1];
  // k + 1 / y, where y is between the reciprocals of what is above k.
  const y = simplest([t, r - k * t], [q, p - k * q]);
  return y && [k * y[0] + y[1], y[0]];
}
