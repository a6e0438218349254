import type { Profile } from '../../ops/profile.ts';
import type { Kernel } from '../ir.ts';
import { expandMath } from './expand-math.ts';

/** A step from kernels to kernels. Only `expand-math` may change a bit of a result. */
export interface KernelPass {
  readonly name: string;
  readonly doc: string;
  run(k: Kernel): Kernel;
}

/** What happens to a kernel before it is emitted for a profile, in order. */
export function kernelPasses(_profile: Profile): readonly KernelPass[] {
  return [{ name: 'expand-math', doc: 'replaces exp, log, tanh, … by polynomials', run: expandMath }];
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
