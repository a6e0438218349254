import type { Pass } from '../../core/pass.ts';
import type { Kernel } from '../ir.ts';
import { addresses } from './addresses.ts';
import { cse } from './cse.ts';
import { expandCodes } from './expand-codes.ts';
import { expandMath } from './expand-math.ts';
import { hoist } from './hoist.ts';
import { inline } from './inline.ts';
import { simplify } from './simplify.ts';
import { slices } from './slices.ts';

/** A pass over single kernels. Only `expand-math` may change a bit of a result. */
export type KernelPass = Pass<Kernel>;

export const SIMPLIFY: KernelPass = { name: 'simplify', doc: 'folds constants, drops what nothing reads', run: simplify };
export const EXPAND_MATH: KernelPass = {
  name: 'expand-math',
  doc: 'replaces exp, log, tanh, … by polynomials, of fused multiply-adds where the target has them',
  run: (k, { profile }) => expandMath(k, profile.vector.fma !== 'none'),
};
export const EXPAND_CODES: KernelPass = {
  name: 'expand-codes',
  doc: 'small floats and integers of less than a byte as integers and arithmetic',
  run: expandCodes,
};
export const ADDRESSES: KernelPass = {
  name: 'addresses',
  doc: 'lets accesses share pointers that are advanced in innermost loops',
  run: addresses,
};
export const HOIST: KernelPass = { name: 'hoist', doc: 'moves what does not change out of loops', run: hoist };
export const CSE: KernelPass = { name: 'cse', doc: 'computes what a block needs twice once', run: cse };
export const INLINE: KernelPass = { name: 'inline', doc: 'moves values to their first use', run: inline };
export const SLICES: KernelPass = {
  name: 'slices',
  doc: 'makes one loop from 0 by 1 of nested parallel ones, where the target has threads',
  run: (k, { profile }) => (profile.threads > 1 ? slices(k) : k),
};
