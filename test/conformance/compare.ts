import { isFloat } from '../../compiler/core/dtype.ts';
import { textsOf } from '../../compiler/core/texts.ts';
import { toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';

/** How far a number may be from the wanted one: |got - want| <= atol + rtol * |want|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** In what way a tensor differs from the wanted one, or undefined. Integers and truth values must be equal; NaN equals NaN. */
export function difference(got: Tensor | undefined, want: Tensor, tol: Tolerance): string | undefined {
  if (!got) return 'is missing';
  if (got.dtype !== want.dtype) return `has type ${got.dtype}, not ${want.dtype}`;
  if (got.dims.join() !== want.dims.join()) return `has shape [${got.dims.join(',')}], not [${want.dims.join(',')}]`;
  if (got.texts && want.texts) {
    const [a, b] = [textsOf(got), textsOf(want)];
    const at = b.findIndex((v, i) => v !== a[i]);
    return at < 0 ? undefined : `element ${at} is ${JSON.stringify(a[at])}, not ${JSON.stringify(b[at])}`;
  }
  const exact = !isFloat(want.dtype);
  const a: ArrayLike<number | bigint> = exact ? typed(got) : toNumbers(got);
  const b: ArrayLike<number | bigint> = exact ? typed(want) : toNumbers(want);
  if (a.length !== b.length) return `has ${a.length} elements, not ${b.length}`;
  let wrong = 0;
  let worst = -1;
  let first = '';
  for (let i = 0; i < b.length; i++) {
    const x = a[i] ?? NaN;
    const y = b[i] ?? NaN;
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    const off = Math.abs(Number(x) - Number(y));
    if (!exact && off <= tol.atol + tol.rtol * Math.abs(Number(y)) && Number.isFinite(Number(y))) continue;
    wrong++;
    if (off > worst || first === '') {
      worst = off;
      first = `element ${i} is ${x}, not ${y}`;
    }
  }
  return wrong === 0 ? undefined : `${wrong} of ${b.length} elements are wrong: ${first}`;
}
