import { byContents, equalData, hashData } from '../core/data.ts';
import type { Kernel } from '../kernel/ir.ts';

/** The kernels of a program. Kernels of equal parameters and statements are one: repeated layers share code. */
export class KernelPool {
  private readonly kernels: Kernel[] = [];
  private readonly equal = byContents<Kernel, Kernel>(
    k => hashData([k.params, k.body]),
    (a, b) => equalData(a.params, b.params) && equalData(a.body, b.body),
  );
  private readonly names = new Map<string, number>();

  /** The kernel of the pool that is equal to this one; else this one, under a name that no other has. */
  add(kernel: Kernel): Kernel {
    return this.equal(kernel, () => {
      const named = { ...kernel, name: this.freshName(kernel.name) };
      this.kernels.push(named);
      return named;
    });
  }
  /** All kernels, in the order in which they were added. */
  all(): readonly Kernel[] {
    return this.kernels;
  }
  private freshName(name: string): string {
    const clean = name.replace(/\W+/g, '_').toLowerCase();
    const n = this.names.get(clean) ?? 0;
    this.names.set(clean, n + 1);
    return n === 0 ? clean : `${clean}_${n}`;
  }
}
