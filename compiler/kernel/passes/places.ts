import type { Expr, Kernel } from '../ir.ts';
import { walk } from './rewrite.ts';

/** Whether an i32 is made of sizes, counters and constants alone: no data is in it, so it stays within memory and cannot overflow. */
export function isPlace(e: Expr, places: ReadonlySet<string>): boolean {
  if (e.t.lanes !== 1 || e.t.base !== 'i32') return false;
  if (e.k === 'var') return places.has(e.name);
  if (e.k === 'bin' || e.k === 'select') return isPlace(e.a, places) && isPlace(e.b, places);
  if (e.k === 'addr') return isPlace(e.at, places);
  return e.k === 'const' || e.k === 'cmp';
}
/** Variables that hold sizes and places. One that changes is such only if all it is given are. */
export function placesOf(kernel: Kernel): ReadonlySet<string> {
  const out = new Set<string>(kernel.range ? [kernel.range.begin, kernel.range.end] : []);
  for (const p of kernel.params) if (p.k === 'int') out.add(p.name);
  const given = new Map<string, Expr[]>();
  walk(kernel.body, s => {
    if (s.k === 'for') out.add(s.v);
    if (s.k === 'let' || s.k === 'set') {
      if (s.k === 'let') out.add(s.name);
      given.set(s.name, [...(given.get(s.name) ?? []), s.value]);
    }
  });
  for (let again = true; again;) {
    again = false;
    for (const [name, values] of given)
      if (out.has(name) && !values.every(v => isPlace(v, out))) {
        out.delete(name);
        again = true;
      }
  }
  return out;
}
