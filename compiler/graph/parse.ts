import { fromBase64 } from '../core/bytes.ts';
import { fail, InternalError, type Loc } from '../core/diagnostic.ts';
import { parseDim, type Dim, type Range } from '../core/dim.ts';
import { DTYPES, isDType, type DType } from '../core/dtype.ts';
import { randomTensor } from '../core/random.ts';
import { Scanner } from '../core/scanner.ts';
import { fromNumbers, fromTyped, numel, type Tensor } from '../core/tensor.ts';
import { showType, tensorType, type TensorType } from '../core/shape.ts';
import { didYouMean } from '../core/suggest.ts';
import type { Attrs, AttrValue, Op } from '../ops/define.ts';
import { apply, constant, input, type Graph, type Value } from './graph.ts';
import { spellings } from './print.ts';

/** A constant of a hand-written graph may not be larger than this. */
const MAX_BYTES = 2 ** 28;

/**
 * Reads the text form of a graph (see `printGraph`). Types of results may be left out; where they are given they must be what inference
 * says. Constants: `{1, 2}`, `zeros`, `splat(0.5)`, `random(seed)`, `random(seed, lo, hi)`, `bytes("base64")`, and `data(hash)` as
 * printed for large ones, which stands for random contents. E201 with line and column.
 */
export function parseGraph(text: string, ops: readonly Op[], file = 'graph'): Graph {
  const p: Parser = { s: new Scanner(text, file), ops: new Map(ops.map(o => [o.name, o])), ranges: new Map() };
  const g = graph(p, undefined);
  if (!p.s.done()) p.s.fail('expected the end');
  return g;
}
interface Parser {
  readonly s: Scanner;
  readonly ops: ReadonlyMap<string, Op>;
  readonly ranges: Map<string, Range>;
}
interface Names {
  readonly own: Map<string, Value>;
  readonly outer: Names | undefined;
}

const NAME = /%[\w.]+/;
const INT = /-?\d+/;
const NUMBER = /-?(?:inf\b|nan\b|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)/;

function graph(p: Parser, outer: Names | undefined): Graph {
  const { s } = p;
  s.lit('graph');
  const name = string(s);
  s.lit('{');
  const names: Names = { own: new Map(), outer };
  const inputs: Value[] = [];
  const outputs: { name: string; value: Value }[] = [];
  const definers: Value[] = [];
  while (!s.has('}')) {
    if (s.has('dim')) {
      const dim = s.take(/[A-Za-z_][\w.:/]*?(?=\s*:\s)/, 'a name');
      s.lit(':');
      const lo = Number(s.take(INT, 'a number'));
      s.lit('..');
      p.ranges.set(dim, { lo, hi: Number(s.take(INT, 'a number')) });
    } else if (s.has('input')) {
      const { key, label } = declared(s, 'input');
      const v = input(label, type(p));
      const known = s.has('=') ? (s.lit('['), s.list(']', () => dim(p, /[,\]]/))) : undefined;
      inputs.push(define(s, names, key, known ? { ...v, symbolic: known } : v));
    } else if (s.has('const')) {
      const { key, label } = declared(s, 'const');
      const t = type(p);
      define(s, names, key, constant(contents(s, t), label));
    } else if (s.has('output')) {
      const label = string(s);
      s.lit('=');
      outputs.push({ name: label, value: lookup(s, names, s.take(NAME, 'a value')) });
    } else statement(p, names, definers);
  }
  return { name, inputs, outputs, symbolDefinitions: definers };
}

export const string = (s: Scanner): string => {
  const text = s.take(/"(?:[^"\\\n]|\\.)*"/, 'a string');
  try {
    return String(JSON.parse(text));
  } catch {
    return s.fail(`${text} is no string`);
  }
};
/** `%name`, or `%name "the name it has outside"`. Constants without a name of their own are `%c` or `%c.1`. */
function declared(s: Scanner, what: 'input' | 'const'): { readonly key: string; readonly label: string } {
  const key = s.take(NAME, 'a name');
  const quoted = s.try(/(?=")/) === undefined ? undefined : string(s);
  s.lit(':');
  return { key, label: quoted ?? (what === 'const' && /^%c(?:\.\d+)?$/.test(key) ? '' : key.slice(1)) };
}
function define(s: Scanner, names: Names, key: string, v: Value): Value {
  if (names.own.has(key)) s.fail(`${key} is defined twice`);
  names.own.set(key, v);
  return v;
}
/** Constants of the graphs around may be used; other values of theirs enter through inputs. */
function lookup(s: Scanner, names: Names, key: string): Value {
  const own = names.own.get(key);
  if (own) return own;
  for (let n = names.outer; n; n = n.outer) {
    const v = n.own.get(key);
    if (v) return v.def.k === 'const' ? v : s.fail(`${key} belongs to a graph around this one; pass it as an input`);
  }
  return s.fail(`${key} is not defined`);
}

const dim = (p: Parser, end: RegExp): Dim => parseSize(p.s, p.ranges, end);
/** A size, up to where `end` matches. */
export function parseSize(s: Scanner, ranges: ReadonlyMap<string, Range>, end: RegExp): Dim {
  const text = s.until(end, 'a size');
  try {
    return parseDim(text.replaceAll(/\s/g, ''), name => ranges.get(name) ?? s.fail(`dimension ${name} is not declared`));
  } catch (e) {
    if (e instanceof InternalError) return s.fail(e.message);
    throw e;
  }
}
const type = (p: Parser): TensorType => parseType(p.s, p.ranges);
export function parseType(s: Scanner, ranges: ReadonlyMap<string, Range>): TensorType {
  const dtype = s.take(/\w+/, 'an element type');
  s.lit('[');
  const shape = s.list(']', () => parseSize(s, ranges, /[,\]]/));
  return isDType(dtype) ? tensorType(dtype, shape) : s.fail(`${dtype} is no element type`);
}

/** Reads what `contents` of print.ts writes. */
export function contents(s: Scanner, t: TensorType): Tensor {
  const dims = t.shape.map(d => (typeof d === 'number' && d >= 0 ? d : s.fail('a constant has fixed sizes')));
  const n = numel(dims);
  if (!(n * DTYPES[t.dtype].bytes <= MAX_BYTES)) s.fail(`${showType(t)} is too large`);
  const made = (spelt: string, tensor: Tensor): Tensor => {
    spellings.set(tensor.bytes, spelt);
    return tensor;
  };
  const fill = (v: number): Tensor => fromNumbers(t.dtype, dims, new Float64Array(n).fill(v));
  if (s.has('{')) return listed(s, t.dtype, dims);
  if (s.has('zeros')) return made('zeros', fill(0));
  if (s.has('splat(')) {
    const v = number(s);
    s.lit(')');
    return fill(v);
  }
  if (s.has('random(')) {
    const args = s.list(')', () => number(s));
    return made(`random(${args.join(', ')})`, randomTensor(t.dtype, dims, args[0] ?? 0, args[1], args[2]));
  }
  if (s.has('data(')) {
    const hash = s.take(/[0-9a-f]+/, 'a hash');
    s.lit(')');
    return made(`data(${hash})`, randomTensor(t.dtype, dims, parseInt(hash, 16)));
  }
  s.lit('bytes(');
  const bytes = fromBase64(string(s)) ?? s.fail('no base64');
  s.lit(')');
  return bytes.length === n * DTYPES[t.dtype].bytes
    ? { dtype: t.dtype, dims, bytes }
    : s.fail(`${bytes.length} bytes for ${showType(t)}`);
}
function listed(s: Scanner, dtype: DType, dims: readonly number[]): Tensor {
  const count = (n: number): void => {
    if (n !== numel(dims)) s.fail(`${n} elements for ${numel(dims)}`);
  };
  if (dtype === 'i64' || dtype === 'u64') {
    const all = s.list('}', () => BigInt(s.take(INT, 'an integer')));
    count(all.length);
    return fromTyped(dtype, dims, dtype === 'i64' ? BigInt64Array.from(all) : BigUint64Array.from(all));
  }
  const all = s.list('}', () => number(s));
  count(all.length);
  return fromNumbers(dtype, dims, all);
}
const numberOf = (t: string): number =>
  t.endsWith('inf') ? (t.startsWith('-') ? -Infinity : Infinity) : t.endsWith('nan') ? NaN : Number(t);
const number = (s: Scanner): number => numberOf(s.take(NUMBER, 'a number'));

function statement(p: Parser, names: Names, definers: Value[]): void {
  const { s } = p;
  const outs: { key: string; type: TensorType | undefined }[] = [];
  do outs.push({ key: s.take(NAME, 'a statement'), type: s.has(':') ? type(p) : undefined });
  while (s.has(','));
  s.lit('=');
  const loc: Loc = s.loc();
  const opName = s.take(/[A-Za-z_][\w.]*/, 'an operator');
  const op = p.ops.get(opName) ?? fail('E201', { why: `no operator ${opName}${didYouMean(opName, p.ops.keys())}` }, loc);
  s.lit('(');
  const inputs = s.list(')', () => (s.has('_') ? undefined : lookup(s, names, s.take(NAME, 'a value'))));
  const attrs = s.has('{') ? attributes(p, names) : {};
  const values = apply(op, inputs, attrs, loc);
  if (values.length !== outs.length) fail('E201', { why: `${opName} gives ${values.length} results` }, loc);
  values.forEach((v, i) => {
    const o = outs[i];
    if (!o) return;
    if (o.type && showType(o.type) !== showType(v.type))
      fail('E201', { why: `${o.key} is ${showType(v.type)}, not ${showType(o.type)}` }, loc);
    define(s, names, o.key, v);
  });
  const [first] = values;
  if (first?.def.k === 'node' && (op.definesSymbols?.(first.def) ?? []).length > 0) definers.push(first);
}
function attributes(p: Parser, names: Names): Attrs {
  const { s } = p;
  const out: Record<string, AttrValue> = {};
  while (!s.has('}')) {
    const name = s.take(/\w+/, 'an attribute');
    s.lit(':');
    out[name] = attribute(p, names);
    if (!s.has(',')) {
      s.lit('}');
      break;
    }
  }
  return out;
}
function attribute(p: Parser, names: Names): AttrValue {
  const { s } = p;
  if (s.try(/(?=")/) !== undefined) return string(s);
  if (s.try(/(?=graph\s*")/) !== undefined) return graph(p, names);
  if (s.has('true')) return true;
  if (s.has('false')) return false;
  if (s.has('[')) return s.list(']', () => numberOrDim(p));
  return numberOrDim(p);
}
function numberOrDim(p: Parser): Dim {
  const plain = p.s.try(new RegExp(`${NUMBER.source}(?=\\s*[,\\]}])`));
  return plain !== undefined ? numberOf(plain) : dim(p, /[,\]}]/);
}
