import type { Profile } from '../../target/profile.ts';
import type { Kernel } from '../ir.ts';
import { addresses } from './addresses.ts';
import { cse } from './cse.ts';
import { expandHalf } from './expand-half.ts';
import { expandMath } from './expand-math.ts';
import { hoist } from './hoist.ts';
import { inline } from './inline.ts';
import { simplify } from './simplify.ts';
import { slices } from './slices.ts';

/** A step from kernels to kernels. Only `expand-math` may change a bit of a result. */
export interface KernelPass {
  readonly name: string;
  readonly doc: string;
  run(k: Kernel): Kernel;
}
const pass = (name: string, doc: string, run: (k: Kernel) => Kernel): KernelPass => ({ name, doc, run });

export const SIMPLIFY = pass('simplify', 'folds constants, drops what nothing reads', simplify);
export const EXPAND_MATH = pass('expand-math', 'replaces exp, log, tanh, … by polynomials', k => expandMath(k));
export const EXPAND_MATH_FMA = pass('expand-math-fma', 'the same with fused multiply-adds', k => expandMath(k, true));
export const EXPAND_HALF = pass('expand-half', 'half floats as u16 and integer arithmetic', expandHalf);
export const ADDRESSES = pass('addresses', 'lets accesses share pointers that are advanced in innermost loops', addresses);
export const HOIST = pass('hoist', 'moves what does not change out of loops', hoist);
export const CSE = pass('cse', 'computes what a block needs twice once', cse);
export const INLINE = pass('inline', 'moves values to their first use', inline);
export const SLICES = pass('slices', 'brings parallel loops into the form that threads share', slices);
/** Every pass, for people who run one by name. */
export const ALL_KERNEL_PASSES: readonly KernelPass[] = [
  SIMPLIFY,
  EXPAND_MATH,
  EXPAND_MATH_FMA,
  EXPAND_HALF,
  ADDRESSES,
  HOIST,
  CSE,
  INLINE,
  SLICES,
];

/** What happens to a kernel before it is emitted for a profile, in order. C compilers do the rest themselves. */
export function kernelPasses(profile: Profile): readonly KernelPass[] {
  const math = profile.vector.fma === 'none' ? EXPAND_MATH : EXPAND_MATH_FMA;
  return profile.emit === 'wasm'
    ? [SIMPLIFY, math, EXPAND_HALF, ADDRESSES, HOIST, CSE, SIMPLIFY, INLINE]
    : [SIMPLIFY, math, EXPAND_HALF, ...(profile.threads > 1 ? [SLICES] : [])];
}

const prepared = new WeakMap<Profile, WeakMap<Kernel, Kernel>>();
/** The kernel as a back end prints it for the profile; made once for each pair. */
export function prepareKernel(kernel: Kernel, profile: Profile): Kernel {
  let of = prepared.get(profile);
  if (!of) prepared.set(profile, (of = new WeakMap()));
  let k = of.get(kernel);
  if (!k) of.set(kernel, (k = kernelPasses(profile).reduce((x, p) => p.run(x), kernel)));
  return k;
}
