import { maskType, scalarOf, vtype, type VType } from '../../../kernel/ir.ts';
import { ctype } from '../types.ts';
import type { HelperWriter } from './writer.ts';

/** Picks lanes by the bits of a mask. */
export function pick(w: HelperWriter, t: VType): string {
  const mask = maskType(t);
  const [v, m] = [w.type(t), w.type(mask)];
  return w.fn(`pick_${v}`, v, `${m} m, ${v} a, ${v} b`, `return (${v})((m & (${m})a) | (~m & (${m})b));`);
}
export function splat(w: HelperWriter, t: VType): string {
  const v = w.type(t);
  const s = ctype(scalarOf(t));
  const one = ctype(vtype(t.base));
  return w.fn(
    `splat_${v}`,
    v,
    `${s} x`,
    `return (${v}){${Array.from({ length: t.lanes }, () => (s === one ? 'x' : `(${one})x`)).join(', ')}};`,
  );
}
