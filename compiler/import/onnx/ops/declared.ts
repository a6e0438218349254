import type { Read } from '../../shared/sizes.ts';
import type { OnnxNode } from '../registry.ts';

/** How the size of axis `i` of output `o` is read from data: the file may declare it, else `bounds` are asked for. */
export function declaredOr(n: OnnxNode, o: number, i: number, what: string, bounds: () => Pick<Read, 'lo' | 'hi'>): Read {
  const declared = n.declared(o)?.[i];
  return declared === undefined ? { what, ...bounds() } : { what, lo: declared, hi: declared, declared };
}
