import { showLoc } from '../../core/diagnostic.ts';
import { commentBlock } from '../../core/quote.ts';
import { constOf, type Expr, type Kernel, type Param, type Stmt, type WordRows } from '../../kernel/ir.ts';
import { numberOf } from '../../kernel/passes/cost.ts';
import { placesOf } from '../../kernel/passes/places.ts';
import { changedNames, walk } from '../../kernel/passes/rewrite.ts';
import { place, showC, showOperand, type Scope } from './expr.ts';
import type { Helpers } from './helpers.ts';
import { ctype, elementType, identifier } from './types.ts';

/** The function of a kernel; the prefix keeps it apart from those of the C library. */
export const kernelName = (k: Kernel): string => `k_${identifier(k.name)}`;

/** What statements are printed with. */
interface Printer {
  readonly scope: Scope;
  /** Variables that are set again. */
  readonly changed: ReadonlySet<string>;
  /** Whether a kernel's function takes a pool first. */
  readonly pooled: (k: Kernel) => boolean;
  /** The pool to give to such functions. */
  readonly pool: string;
}

/**
 * The kernels that take a pool: those that make a parallel call, directly or by another kernel. A kernel with a range takes none: threads run
 * it, and what it calls runs on its thread.
 */
export function pooledKernels(kernels: readonly Kernel[]): ReadonlySet<Kernel> {
  const out = new Set<Kernel>();
  for (const k of kernels)
    if (!k.range)
      walk(k.body, s => {
        if (s.k === 'call' && (s.over || out.has(s.kernel))) out.add(k);
      });
  return out;
}

/**
 * A kernel as a C function; it must be as `runKernelPasses` leaves it. One with a range is a function that the pool calls, whose arguments are
 * in a struct. `pooled`: the kernels that take a pool, this one too if it does.
 */
export function kernelText(kernel: Kernel, helpers: Helpers, notes: readonly string[], pooled: ReadonlySet<Kernel>): string {
  const buffers = new Map(kernel.params.flatMap(p => (p.k === 'buf' ? [[p.name, p.dtype] as const] : [])));
  const scope: Scope = { helpers, buffers, places: placesOf(kernel) };
  const printer: Printer = {
    scope,
    changed: changedNames(kernel.body),
    pooled: k => pooled.has(k),
    pool: kernel.range ? 'NULL' : 'pool',
  };
  const lines: string[] = [];
  for (const s of kernel.body) statement(s, '  ', printer, lines);
  const where = notes.length > 0 ? notes : [showLoc(kernel.loc)].filter(s => s !== '');
  const head = where.slice(0, 8).map(n => `/* ${commentBlock(n)} */`);
  if (where.length > 8) head.push(`/* and ${where.length - 8} more */`);
  const params = kernel.params.map(p => ({ ...p, type: paramType(p, helpers), name: identifier(p.name) }));
  if (kernel.range) return [...head, ...rangeText(kernel, kernel.range, params, lines)].join('\n');
  const text = lines.join('\n');
  const unused = params.filter(p => !new RegExp(`\\b${p.name}\\b`).test(text));
  const given = [...(pooled.has(kernel) ? ['sinter_pool *pool'] : []), ...params.map(p => declared(p.type, p.name))];
  return [
    ...head,
    `static void ${kernelName(kernel)}(${given.join(', ')}) {`,
    ...unused.map(p => `  (void)${p.name};`),
    ...lines,
    '}',
  ].join('\n');
}
function paramType(p: Param, helpers: Helpers): string {
  switch (p.k) {
    case 'int':
      return 'int32_t';
    case 'value':
      return helpers.type(p.t);
    case 'buf':
      return `${p.access === 'read' ? 'const ' : ''}${elementType(p.dtype)} *`;
  }
}
const declared = (type: string, name: string): string => (type.endsWith('*') ? `${type}${name}` : `${type} ${name}`);
const structName = (k: Kernel): string => `${kernelName(k)}_args`;

/** A kernel with a range as a `sinter_slice`; a buffer of scratch is the first thread's until it is moved to this thread's. */
function rangeText(
  kernel: Kernel,
  range: NonNullable<Kernel['range']>,
  params: readonly (Param & { readonly type: string })[],
  lines: readonly string[],
): string[] {
  const [begin, end] = [identifier(range.begin), identifier(range.end)];
  const own = params.some(p => p.k === 'buf' && p.scratch);
  return [
    ...(params.length > 0
      ? [`typedef struct { ${params.map(p => `${declared(p.type, p.name)};`).join(' ')} } ${structName(kernel)};`]
      : []),
    `static void ${kernelName(kernel)}(const void *args_, int32_t ${begin}, int32_t ${end}, int32_t thread_) {`,
    params.length > 0 ? `  const ${structName(kernel)} *const shared_ = args_;` : '  (void)args_;',
    ...params.map(p => {
      const value = `shared_->${p.name}`;
      const scratch = p.k === 'buf' && p.scratch;
      const moved = `(${p.type})(void *)((char *)${value} + (size_t)thread_ * THREAD_BYTES)`;
      return `  ${declared(`${p.type}${p.type.endsWith('*') ? '' : ' '}const`, p.name)} = ${scratch ? moved : value};`;
    }),
    ...(own ? [] : ['  (void)thread_;']),
    ...lines,
    '}',
  ];
}
/** A call of another kernel; a parallel one puts the arguments into a struct and has the pool run the ranges. */
function callText(s: Extract<Stmt, { k: 'call' }>, { scope: x, pooled, pool }: Printer): string[] {
  const { kernel: callee } = s;
  const args = s.args.map((a, i) => {
    if (a.k === 'value') return showC(a.value, x);
    const to = callee.params[i];
    const name = identifier(a.buf);
    if (to?.k !== 'buf') return name;
    const own = x.buffers.get(a.buf);
    const same = own !== undefined && elementType(own) === elementType(to.dtype);
    const from = same ? name : `(${paramType(to, x.helpers)})${name}`;
    return constOf(a.at) === 0 ? from : `${from} + ${showOperand(a.at, x)}`;
  });
  if (!s.over) return [`${kernelName(callee)}(${[...(pooled(callee) ? [pool] : []), ...args].join(', ')});`];
  const shared = args.length > 0 ? '&shared_' : 'NULL';
  const run = `run_slices(${pool}, ${kernelName(callee)}, ${shared}, ${showC(s.over.count, x)}, ${costText(s.over.cost, x)});`;
  return args.length > 0 ? ['{', `  const ${structName(callee)} shared_ = {${args.join(', ')}};`, `  ${run}`, '}'] : [run];
}
/** A cost with digits enough for an estimate. */
function costText(e: Expr, x: Scope): string {
  const value = numberOf(e);
  if (value !== undefined) {
    const text = String(Number(value.toPrecision(2)));
    return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
  }
  if (e.k !== 'bin') return showC(e, x);
  const [a, b] = [costText(e.a, x), costText(e.b, x)];
  return e.op === 'add' ? `(${a} + ${b})` : `${a} * ${b}`;
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
    case 'call':
      callText(s, p).forEach(put);
      return;
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
