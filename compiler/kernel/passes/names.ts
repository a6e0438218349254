import type { Kernel, Stmt } from '../ir.ts';

/** Names `prefix0`, `prefix1`, … that the kernel does not use yet. */
export function freshNames(kernel: Kernel, prefix: string): () => string {
  let next = 0;
  const see = (name: string): void => {
    if (!name.startsWith(prefix)) return;
    const n = Number(name.slice(prefix.length));
    if (Number.isInteger(n)) next = Math.max(next, n + 1);
  };
  for (const p of kernel.params) see(p.name);
  const todo: Stmt[] = [...kernel.body];
  for (let s = todo.pop(); s; s = todo.pop()) {
    switch (s.k) {
      case 'let':
        see(s.name);
        break;
      case 'for':
        see(s.v);
        todo.push(...s.body);
        break;
      case 'while':
        todo.push(...s.body);
        break;
      case 'if':
        todo.push(...s.then, ...s.else);
        break;
      case 'set':
      case 'store':
        break;
    }
  }
  return () => `${prefix}${next++}`;
}
