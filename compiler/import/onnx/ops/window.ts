import { must } from '../../../core/diagnostic.ts';
import { dimAdd, dimMax, dimMul, dimNeg, dimSub, type Dim } from '../../../core/dim.ts';
import { extent } from '../../../ops/spatial.ts';
import type { OnnxNode } from '../registry.ts';
import { samePads, splitPads } from '../../shared/window.ts';

/** Attributes of windows that slide over spatial axes, with defaults filled in and automatic pads resolved. */
interface Window {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly Dim[];
}
/** An attribute of `count` integers: `value` each where it is left out, or E102 without a `value`. */
export const perAxis = (n: OnnxNode, name: string, count: number, value?: number): readonly number[] => {
  const given = value === undefined ? n.ints(name) : n.ints(name, []);
  if (value !== undefined && given.length === 0) return new Array<number>(count).fill(value);
  if (given.length !== count) n.reject(`${name} has ${given.length} values for ${count} axes`);
  return given;
};
export const stridesOf = (n: OnnxNode, count: number): readonly number[] => perAxis(n, 'strides', count, 1);
export const dilationsOf = (n: OnnxNode, count: number): readonly number[] => perAxis(n, 'dilations', count, 1);

type AutoPad = 'given' | 'after' | 'before' | 'valid';
function autoPad(n: OnnxNode): AutoPad {
  const text = n.string('auto_pad', 'NOTSET');
  switch (text) {
    case 'NOTSET':
    case '':
      return 'given';
    case 'SAME_UPPER':
      return 'after';
    case 'SAME_LOWER':
      return 'before';
    case 'VALID':
      return 'valid';
    default:
      return n.reject(`auto_pad is '${text}'`);
  }
}
/** The window of a convolution or pool over axes of these sizes. */
export function windowOf(n: OnnxNode, sizes: readonly Dim[], kernel: readonly Dim[]): Window {
  const count = sizes.length;
  if (kernel.length !== count) n.reject(`the kernel is for ${kernel.length} axes, the input has ${count}`);
  const strides = stridesOf(n, count);
  const dilations = dilationsOf(n, count);
  const mode = autoPad(n);
  switch (mode) {
    case 'given':
      return { strides, dilations, pads: perAxis(n, 'pads', 2 * count, 0) };
    case 'valid':
      return { strides, dilations, pads: new Array<number>(2 * count).fill(0) };
    case 'after':
    case 'before':
      return { strides, dilations, pads: samePads(sizes, kernel, strides, dilations, mode) };
  }
}
/** The pads of a transposed convolution: given, or what crops the full result to the size that is wanted. */
export function transposedPads(
  n: OnnxNode,
  sizes: readonly Dim[],
  kernel: readonly Dim[],
  outputPadding: readonly number[],
): readonly Dim[] {
  const count = sizes.length;
  const strides = stridesOf(n, count);
  const dilations = dilationsOf(n, count);
  const mode = autoPad(n);
  const shape = n.ints('output_shape', undefined);
  const wanted = shape?.slice(-count);
  if (wanted && wanted.length < count) n.reject(`output_shape has ${wanted.length} sizes for ${count} axes`);
  if (wanted === undefined && mode === 'given') return perAxis(n, 'pads', 2 * count, 0);
  if (wanted === undefined && mode === 'valid') return new Array<number>(2 * count).fill(0);
  const pairs = sizes.map((size, i): readonly [Dim, Dim] => {
    const stride = must(strides[i]);
    const full = dimAdd(
      dimAdd(dimMul(dimSub(size, 1), stride), extent(must(kernel[i]), must(dilations[i]))),
      must(outputPadding[i]),
    );
    const total = dimSub(full, wanted ? must(wanted[i]) : dimMul(size, stride));
    const [before, after] = splitPads(dimMax(0, total), mode === 'after' ? 'after' : 'before');
    // What is wanted beyond the full result are zeros at the end.
    return [before, dimSub(after, dimMax(0, dimNeg(total)))];
  });
  return [...pairs.map(p => p[0]), ...pairs.map(p => p[1])];
}
/** `output_padding` of a transposed convolution. */
export const outputPaddingOf = (n: OnnxNode, count: number): readonly number[] => perAxis(n, 'output_padding', count, 0);
