import { must } from '../../core/diagnostic.ts';
import { fromNumbers } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';
import { MatMul } from '../../ops/matmul/matmul.ts';
import { cosTurn, dftSize, mirrored, sinTurn, type DftAttrs } from '../../ops/signal/dft.ts';
import { Dft } from '../../ops/signal/signal.ts';
import type { ImportBuilder } from './builder.ts';
import { reshape, slice, transpose } from './views.ts';

/** Fourier transforms. A complex number is a pair along the last axis. */

/** Transforms whose table has more elements than this are computed by definition. */
const TABLE_LIMIT = 1 << 20;

/**
 * The transform along an axis. Where the length is fixed and not too long, a product with a table of its angles (times `weights` of the
 * samples, where they are given).
 */
export function transform(c: ImportBuilder, x: Value, a: DftAttrs, weights?: readonly number[]): Value {
  const { shape, dtype } = x.type;
  const rank = shape.length;
  const n = a.length;
  const size = must(shape[a.axis]);
  const parts = Number(shape[rank - 1]);
  const real = a.onesided && a.inverse;
  const bins = dftSize(a);
  const outParts = real ? 1 : 2;
  if (typeof n !== 'number' || typeof size !== 'number' || typeof bins !== 'number' || n * parts * bins * outParts > TABLE_LIMIT)
    return c.apply1(Dft, [x], { ...a });
  const used = Math.min(size, real ? Math.floor(n / 2) + 1 : n);
  // [.., samples, parts] in the end, as one axis.
  const perm = [...shape.map((_, i) => i).filter(i => i !== a.axis && i !== rank - 1), a.axis, rank - 1];
  const moved = transpose(c, slice(c, x, new Map([[a.axis, { start: 0, size: used, step: 1 }]])), perm);
  const outer = moved.type.shape.slice(0, -2);
  const table = new Float64Array(used * parts * bins * outParts);
  for (let j = 0; j < used; j++)
    for (let k = 0; k < bins; k++) {
      const w = (weights?.[j] ?? 1) * (real ? mirrored(j, n) : 1) * (a.inverse ? 1 / n : 1);
      const cos = w * cosTurn(j * k, n);
      const sin = w * (a.inverse ? -1 : 1) * sinTurn(j * k, n);
      const put = (part: number, out: number, v: number): void => {
        if (part < parts && out < outParts) table[((j * parts + part) * bins + k) * outParts + out] = v;
      };
      put(0, 0, cos);
      put(0, 1, -sin);
      put(1, 0, sin);
      put(1, 1, cos);
    }
  const matrix = c.constant(fromNumbers(dtype, [used * parts, bins * outParts], table));
  const y = c.apply1(MatMul, [reshape(c, moved, [...outer, used * parts]), matrix]);
  const back = perm.map((_, i) => perm.indexOf(i));
  return transpose(c, reshape(c, y, [...outer, bins, outParts]), back);
}
