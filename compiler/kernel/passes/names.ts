import type { Kernel } from '../ir.ts';
import { walk } from './rewrite.ts';

/** Names `prefix0`, `prefix1`, … that the kernel does not use yet. */
export function freshNames(kernel: Kernel, prefix: string): () => string {
  let next = 0;
  const see = (name: string): void => {
    if (!name.startsWith(prefix)) return;
    const n = Number(name.slice(prefix.length));
    if (Number.isInteger(n)) next = Math.max(next, n + 1);
  };
  if (kernel.range) [kernel.range.begin, kernel.range.end].forEach(see);
  for (const p of kernel.params) see(p.name);
  walk(kernel.body, s => {
    if (s.k === 'let') see(s.name);
    else if (s.k === 'for') see(s.v);
  });
  return () => `${prefix}${next++}`;
}
