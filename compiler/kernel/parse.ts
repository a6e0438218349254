import { isDType, type DType } from '../core/dtype.ts';
import { Scanner } from '../core/scanner.ts';
import {
  cmp,
  I32,
  loadType,
  scalarOf,
  vtype,
  widen,
  type Base,
  type BinOp,
  type CallArg,
  type CmpOp,
  type Expr,
  type Kernel,
  type Lanes,
  type Param,
  type Stmt,
  type UnOp,
  type VType,
  type WordRows,
  MACHINE_OPS,
  MATH_OPS,
} from './ir.ts';

const INFIX: Readonly<Record<string, BinOp>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '%': 'rem',
  '&': 'and',
  '|': 'or',
  '^': 'xor',
  '<<': 'shl',
  '>>': 'shr',
};
const CMP: Readonly<Record<string, CmpOp>> = { '==': 'eq', '!=': 'ne', '<': 'lt', '<=': 'le', '>': 'gt', '>=': 'ge' };
const UN: readonly UnOp[] = [...MACHINE_OPS, ...MATH_OPS];
const BASES: readonly Base[] = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'f32', 'f64'];
const LANES: readonly Lanes[] = [1, 2, 4, 8, 16, 32, 64];
const NAME = /[A-Za-z_]\w*/;

/** Kernels by their names: those that may be called. */
type Kernels = ReadonlyMap<string, Kernel>;

/** Reads what `showKernel` writes. Throws E201 with the place in the text. */
export function parseKernel(text: string, file: string): Kernel {
  const s = new Scanner(text, file);
  const kernel = parseKernelAt(s, file);
  if (!s.done()) s.fail('text after the kernel');
  return kernel;
}
/** Reads one or more kernels, each after those that it calls. Throws E201 with the place in the text. */
export function parseKernels(text: string, file: string): Kernel[] {
  const s = new Scanner(text, file);
  const kernels = new Map<string, Kernel>();
  do {
    const k = parseKernelAt(s, file, kernels);
    kernels.set(k.name, k);
  } while (!s.done());
  return [...kernels.values()];
}
/** Reads a kernel that stands among other text. */
export function parseKernelAt(s: Scanner, file: string, kernels: Kernels = new Map()): Kernel {
  const loc = s.loc();
  s.lit('kernel');
  const name = s.take(/[^\s(]+/, 'a name');
  s.lit('(');
  const params = s.list(')', () => param(s));
  const types = new Map<string, VType>();
  for (const p of params)
    if (p.k === 'int') types.set(p.name, I32);
    else if (p.k === 'value') types.set(p.name, p.t);
  const range = s.has('over') ? rangeOf(s) : undefined;
  if (range) for (const v of [range.begin, range.end]) types.set(v, I32);
  s.lit('{');
  return {
    name,
    ...(range && { range }),
    params,
    body: block(s, types, kernels),
    loc: loc.k === 'text' ? { ...loc, file } : loc,
  };
}
function rangeOf(s: Scanner): NonNullable<Kernel['range']> {
  const begin = s.take(NAME, 'a name');
  s.lit('..');
  return { begin, end: s.take(NAME, 'a name') };
}
function param(s: Scanner): Param {
  if (s.has('int')) return { k: 'int', name: s.take(NAME, 'a name') };
  if (s.has('value')) {
    const name = s.take(NAME, 'a name');
    s.lit(':');
    return { k: 'value', name, t: vtypeOf(s) };
  }
  const scratch = s.has('scratch');
  const access = s.has('read')
    ? 'read'
    : s.has('write')
      ? 'write'
      : s.has('both')
        ? 'both'
        : s.fail('expected int, value, scratch, read, write or both');
  const name = s.take(NAME, 'a name');
  s.lit(':');
  return { k: 'buf', name, dtype: dtype(s), access, ...(scratch && { scratch }) };
}
function dtype(s: Scanner): DType {
  const mark = s.mark();
  const d = s.take(NAME, 'an element type');
  return isDType(d) ? d : s.fail(`unknown element type ${d}`, mark);
}
function lanes(s: Scanner, text: string): Lanes {
  return LANES.find(l => String(l) === text) ?? s.fail(`${text} lanes`);
}
function toVType(text: string): VType | undefined {
  const m = /^([iuf]\d+?)(?:x(\d+))?$/.exec(text);
  const base = BASES.find(b => b === m?.[1]);
  const n = LANES.find(l => String(l) === (m?.[2] ?? '1'));
  return base && n ? vtype(base, n) : undefined;
}
function vtypeOf(s: Scanner): VType {
  const mark = s.mark();
  const text = s.take(NAME, 'a type');
  return toVType(text) ?? s.fail(`unknown type ${text}`, mark);
}
type Types = Map<string, VType>;

function block(s: Scanner, outer: Types, kernels: Kernels): Stmt[] {
  const types: Types = new Map(outer);
  const out: Stmt[] = [];
  while (!s.has('}')) out.push(statement(s, types, kernels));
  return out;
}
function statement(s: Scanner, types: Types, kernels: Kernels): Stmt {
  if (s.has('for')) {
    const v = s.take(NAME, 'a name');
    s.lit('in');
    const lo = expr(s, types);
    s.lit('..');
    const hi = expr(s, types);
    const step = s.has('by') ? Number(s.take(/\d+/, 'a step')) : 1;
    const parallel = s.has('parallel');
    s.lit('{');
    return { k: 'for', v, lo, hi, step, parallel, body: block(s, new Map(types).set(v, I32), kernels) };
  }
  if (s.has('while')) {
    const enter = s.has('entered');
    const c = expr(s, types);
    s.lit('{');
    const body = block(s, types, kernels);
    return enter ? { k: 'while', c, body, enter } : { k: 'while', c, body };
  }
  if (s.has('if')) {
    const c = expr(s, types);
    s.lit('{');
    const then = block(s, types, kernels);
    const other = s.has('else') ? (s.lit('{'), block(s, types, kernels)) : [];
    return { k: 'if', c, then, else: other };
  }
  if (s.has('let')) {
    const mark = s.mark();
    const name = s.take(NAME, 'a name');
    s.lit(':');
    const t = vtypeOf(s);
    s.lit('=');
    const value = expr(s, types);
    if (value.t.base !== t.base || value.t.lanes !== t.lanes) s.fail(`${name} is not of the type of its value`, mark);
    types.set(name, t);
    return { k: 'let', name, value };
  }
  if (s.has('prefetch')) return { k: 'prefetch', buf: s.take(NAME, 'a buffer'), at: expr(s, types) };
  if (s.has('mma')) return product(s, types);
  if (s.has('call')) return callOf(s, types, kernels);
  const name = s.take(NAME, 'a statement');
  if (s.has('.')) {
    const a = access(s, name, types);
    s.lit('=');
    const value = expr(s, types);
    const { at, base } = a;
    return base
      ? { k: 'store', buf: name, dtype: a.dtype, at, base, value }
      : { k: 'store', buf: name, dtype: a.dtype, at, value };
  }
  s.lit('=');
  return { k: 'set', name, value: expr(s, types) };
}
/** What follows `call`: `scale(a[at], b[at], n)`, and `over count cost nanoseconds` where it is parallel. */
function callOf(s: Scanner, types: Types, kernels: Kernels): Stmt {
  const mark = s.mark();
  const name = s.take(/\w+/, 'a kernel');
  const kernel = kernels.get(name) ?? s.fail(`kernel ${name} is not declared`, mark);
  s.lit('(');
  let i = 0;
  const args = s.list(')', (): CallArg => {
    if (kernel.params[i++]?.k !== 'buf') return { k: 'value', value: expr(s, types) };
    const buf = s.take(NAME, 'a buffer');
    s.lit('[');
    const at = expr(s, types);
    s.lit(']');
    return { k: 'buf', buf, at };
  });
  if (args.length !== kernel.params.length) s.fail(`${name} takes ${kernel.params.length} arguments`, mark);
  if (!s.has('over')) return { k: 'call', kernel, args };
  const count = expr(s, types);
  s.lit('cost');
  return { k: 'call', kernel, args, over: { count, cost: expr(s, types) } };
}
/** What follows `mma`: `32x96x32 sums[at, stride] = a[at, stride] * b[at, stride]`. */
function product(s: Scanner, types: Types): Stmt {
  const [rows = 0, words = 0, columns = 0] = s
    .take(/\d+x\d+x\d+/, 'rows x words x columns')
    .split('x')
    .map(Number);
  const place = (): WordRows => {
    const buf = s.take(NAME, 'a buffer');
    s.lit('[');
    const list = s.list(']', () => expr(s, types));
    const [at, stride] = list;
    return at && stride && list.length === 2 ? { buf, at, stride } : s.fail('a place and a distance expected');
  };
  const to = place();
  s.lit('=');
  const a = place();
  s.lit('*');
  return { k: 'mma', rows, columns, words, a, b: place(), to };
}
/** What follows `buffer.`: `f32[at]` or `f32{base}[at]`. */
function access(
  s: Scanner,
  _buf: string,
  types: Types,
): { readonly dtype: DType; readonly at: Expr; readonly base: Expr | undefined } {
  const d = dtype(s);
  let base: Expr | undefined;
  if (s.has('{')) {
    base = expr(s, types);
    s.lit('}');
  }
  s.lit('[');
  const at = expr(s, types);
  s.lit(']');
  return { dtype: d, at, base };
}
function args(s: Scanner, types: Types, n: number): Expr[] {
  const list = s.list(')', () => expr(s, types));
  if (list.length !== n) s.fail(`${n} operands expected`);
  return list;
}
function expr(s: Scanner, types: Types): Expr {
  const number = s.try(/-?(?:inf|nan|\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?!\w)/);
  if (number !== undefined) return constant(s, number);
  if (s.has('(')) {
    const a = expr(s, types);
    const op = s.take(/<<|>>|[=!<>]=|[-+*/%&|^<>]/, 'an operator');
    const b = expr(s, types);
    s.lit(')');
    const c = CMP[op];
    if (c !== undefined) return comparison(c, a, b);
    const o = INFIX[op] ?? s.fail(`unknown operator ${op}`);
    return { k: 'bin', t: a.t, op: o, a, b };
  }
  if (s.has('&')) {
    const buf = s.take(NAME, 'a buffer');
    s.lit('.');
    const { dtype: d, at } = access(s, buf, types);
    return { k: 'addr', t: I32, buf, dtype: d, at };
  }
  const mark = s.mark();
  const name = s.take(NAME, 'an expression');
  const known = types.get(name);
  if (known) return { k: 'var', t: known, name };
  return call(s, name, types, mark);
}
/** A comparison of constants too, which the constructor would fold. */
function comparison(op: CmpOp, a: Expr, b: Expr): Expr {
  const probe: Expr = { k: 'var', t: a.t, name: '' };
  return { k: 'cmp', t: cmp(op, probe, probe).t, op, a, b };
}
function constant(s: Scanner, text: string): Expr {
  const t = s.has(':') ? vtypeOf(s) : I32;
  if (t.base === 'i64' || t.base === 'u64') return { k: 'const', t, value: BigInt(text) };
  return { k: 'const', t, value: text === 'nan' ? NaN : Number(text.replace('inf', 'Infinity')) };
}
function call(s: Scanner, name: string, types: Types, mark: number): Expr {
  const t = toVType(name);
  if (t) {
    const kind = s.has('.splat') ? 'splat' : s.has('.bits') ? 'reinterpret' : 'cast';
    s.lit('(');
    const [a = s.fail('an operand is missing')] = args(s, types, 1);
    return { k: kind, t, a };
  }
  const un = UN.find(u => u === name);
  if (un) {
    s.lit('(');
    const [a = s.fail('an operand is missing')] = args(s, types, 1);
    return { k: 'un', t: a.t, op: un, a };
  }
  switch (name) {
    case 'min':
    case 'max': {
      const [a, b] = operands(s, types, 2);
      return { k: 'bin', t: a.t, op: name, a, b };
    }
    case 'select': {
      const [c, a, b] = operands(s, types, 3);
      return { k: 'select', t: a.t, c, a, b };
    }
    case 'fma': {
      const [a, b, c] = operands(s, types, 3);
      return { k: 'fma', t: c.t, a, b, c };
    }
    case 'dot': {
      const [a, b, acc] = operands(s, types, 3);
      return { k: 'dot', t: acc.t, a, b, acc };
    }
    case 'low':
    case 'high':
      return widen(operands(s, types, 1)[0], name);
    case 'vec': {
      s.lit('(');
      const parts = s.list(')', () => expr(s, types));
      const base = parts[0]?.t.base ?? s.fail('vec of nothing');
      return { k: 'vec', t: vtype(base, lanes(s, String(parts.length))), parts };
    }
    case 'reduce': {
      const op = s.has('.add') ? 'add' : s.has('.min') ? 'min' : s.has('.max') ? 'max' : s.fail('expected .add, .min or .max');
      const [a] = operands(s, types, 1);
      return { k: 'reduce', t: scalarOf(a.t), op, a };
    }
    case 'lane': {
      const [lane = 0] = bracket(s);
      const [a] = operands(s, types, 1);
      return { k: 'lane', t: scalarOf(a.t), a, lane };
    }
    case 'permute': {
      const [a, b, at] = operands(s, types, 3);
      return { k: 'permute', t: a.t, a, b, at };
    }
    case 'shuffle': {
      const picked = bracket(s);
      const [a, b] = operands(s, types, 2);
      return { k: 'shuffle', t: vtype(a.t.base, lanes(s, String(picked.length))), a, b, lanes: picked };
    }
  }
  if (!s.has('.')) return s.fail(`${name} is not defined`, mark);
  const { dtype: d, at, base } = access(s, name, types);
  const n = s.has(':') ? lanes(s, s.take(/\d+/, 'a number of lanes')) : 1;
  const load = { k: 'load', t: loadType(d, n), buf: name, dtype: d, at } as const;
  return base ? { ...load, base } : load;
}
function operands(s: Scanner, types: Types, n: number): [Expr, Expr, Expr] {
  s.lit('(');
  const list = args(s, types, n);
  const none: Expr = { k: 'const', t: I32, value: 0 };
  return [list[0] ?? none, list[1] ?? none, list[2] ?? none];
}
function bracket(s: Scanner): number[] {
  s.lit('[');
  return s.list(']', () => Number(s.take(/\d+/, 'a lane')));
}
