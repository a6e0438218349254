import { showLoc } from '../../core/diagnostic.ts';
import type { Expr, Kernel, Stmt, WordRows } from '../../kernel/ir.ts';
import { changedNames, walk } from '../../kernel/passes/rewrite.ts';
import { isPlace, place, showC, showOperand, type Scope } from './expr.ts';
import type { Helpers } from './helpers.ts';
import { definedIn, sliceCost, slicedLoop, visibleIn } from './slices.ts';
import { commentText, ctype, elementType, identifier } from './types.ts';

/** The function of a kernel; the prefix keeps it apart from those of the C library. */
export const kernelName = (k: Kernel): string => `k_${identifier(k.name)}`;

/** What statements are printed with. */
interface Printer {
  readonly scope: Scope;
  /** Variables that are set again. */
  readonly changed: ReadonlySet<string>;
  /** Prints a parallel loop as slices for the pool; undefined where it shall be a loop. */
  readonly slice: (s: Extract<Stmt, { k: 'for' }>) => readonly string[] | undefined;
}
export interface KernelText {
  readonly text: string;
  /** Whether the function takes a pool first. */
  readonly pooled: boolean;
}

/**
 * A kernel as a C function. It must have been prepared for the profile. `threads`: parallel loops that are worth it become functions of
 * their own, of which the pool runs slices.
 */
export function kernelText(kernel: Kernel, helpers: Helpers, notes: readonly string[], threads: boolean): KernelText {
  const buffers = new Map(kernel.params.flatMap(p => (p.k === 'buf' ? [[p.name, p.dtype] as const] : [])));
  const scope: Scope = { helpers, buffers, places: placesOf(kernel) };
  const changed = changedNames(kernel.body);
  const plain: Printer = { scope, changed, slice: () => undefined };
  const functions: string[] = [];
  const slice: Printer['slice'] = s => {
    const cost = s.parallel ? sliceCost(s, scope) : undefined;
    if (cost === undefined) return undefined;
    const lines: string[] = [];
    for (const t of s.body) statement(t, '    ', plain, lines);
    const inside = definedIn(s);
    const sliced = slicedLoop({
      name: `${kernelName(kernel)}_${functions.length}`,
      v: identifier(s.v),
      lines,
      visible: visibleIn(kernel, t => helpers.type(t)).filter(c => !inside.has(c.name)),
      count: showC(s.hi, scope),
      cost,
    });
    functions.push(sliced.function);
    return sliced.call;
  };
  const params = kernel.params.map(p => {
    const name = identifier(p.name);
    if (p.k === 'int') return `int32_t ${name}`;
    return `${p.access === 'read' ? 'const ' : ''}${elementType(p.dtype)} *${name}`;
  });
  const lines: string[] = [];
  const printer = threads ? { ...plain, slice } : plain;
  for (const s of kernel.body) statement(s, '  ', printer, lines);
  const pooled = functions.length > 0;
  const text = lines.join('\n');
  const unused = kernel.params.map(p => identifier(p.name)).filter(name => !new RegExp(`\\b${name}\\b`).test(text));
  lines.unshift(...unused.map(name => `  (void)${name};`));
  const where = notes.length > 0 ? notes : [showLoc(kernel.loc)].filter(s => s !== '');
  const head = where.slice(0, 8).map(n => `/* ${commentText(n)} */`);
  if (where.length > 8) head.push(`/* and ${where.length - 8} more */`);
  if (pooled) params.unshift('sinter_pool *pool');
  const main = [`static void ${kernelName(kernel)}(${params.join(', ')}) {`, ...lines, '}'];
  return { text: [...head, ...functions, ...main].join('\n'), pooled };
}
/** Variables that hold sizes and places. One that changes is such only if all it is given are. */
function placesOf(kernel: Kernel): ReadonlySet<string> {
  const out = new Set<string>();
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

function statement(s: Stmt, pad: string, p: Printer, out: string[]): void {
  const { scope: x, changed } = p;
  const block = (b: readonly Stmt[]): void => {
    for (const t of b) statement(t, `${pad}  `, p, out);
  };
  const put = (text: string): void => void out.push(pad + text);
  switch (s.k) {
    case 'let':
      put(`${changed.has(s.name) ? '' : 'const '}${typeOf(s.value, x)} ${identifier(s.name)} = ${showC(s.value, x)};`);
      return;
    case 'set':
      put(`${identifier(s.name)} = ${showC(s.value, x)};`);
      return;
    case 'store': {
      const to = place(s, s.value.t.lanes, x, true);
      const value = showC(s.value, x);
      const narrow = s.value.t.lanes === 1 && elementType(s.dtype) !== ctype(s.value.t);
      put(`${to} = ${narrow ? `(${elementType(s.dtype)})(${value})` : value};`);
      return;
    }
    case 'prefetch':
      put(`PREFETCH((const char *)${identifier(s.buf)} + ${showOperand(s.at, x)});`);
      return;
    case 'mma': {
      const rows = (r: WordRows, pointer: string): string =>
        `(${pointer})${identifier(r.buf)} + ${showOperand(r.at, x)}, ${showC(r.stride, x)}`;
      const word = x.helpers.alias('i32');
      const [a, b, to] = [rows(s.a, `const ${word} *`), rows(s.b, `const ${word} *`), rows(s.to, `${word} *`)];
      put(`${x.helpers.mma(s.rows, s.columns)}(${a}, ${b}, ${s.words}, ${to});`);
      return;
    }
    case 'if':
      put(`if (${showC(s.c, x)}) {`);
      block(s.then);
      if (s.else.length > 0) {
        put('} else {');
        block(s.else);
      }
      put('}');
      return;
    case 'while':
      if (s.enter) {
        put('do {');
        block(s.body);
        put(`} while (${showC(s.c, x)});`);
        return;
      }
      put(`while (${showC(s.c, x)}) {`);
      block(s.body);
      put('}');
      return;
    case 'for': {
      const slices = p.slice(s);
      if (slices) {
        slices.forEach(put);
        return;
      }
      const v = identifier(s.v);
      const step = s.step === 1 ? `${v}++` : `${v} += ${s.step}`;
      // The end is worked out once: what it is made of may change in the loop.
      const fixed = s.hi.k === 'const' || (s.hi.k === 'var' && !changed.has(s.hi.name));
      const end = fixed ? showC(s.hi, x) : `${v}_end`;
      put(`for (int32_t ${v} = ${showC(s.lo, x)}${fixed ? '' : `, ${end} = ${showC(s.hi, x)}`}; ${v} < ${end}; ${step}) {`);
      block(s.body);
      put('}');
      return;
    }
  }
}
const typeOf = (e: Expr, x: Scope): string => x.helpers.type(e.t);
