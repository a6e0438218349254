import { base64 } from '../core/bytes.ts';
import { must, showLoc, type Loc } from '../core/diagnostic.ts';
import { rangeOf, showDim, symbolsOf, type Dim, type Sym } from '../core/dim.ts';
import { oneLine, quoteJs } from '../core/quote.ts';
import { hashBytes } from '../core/random.ts';
import { splatOf, toNumbers, numel, typed, type Tensor } from '../core/tensor.ts';
import { showType } from '../core/shape.ts';
import type { AttrValue, Op } from '../ops/define.ts';
import { isGraph, nodesOf, subgraphs, type Graph, type Node, type Value } from './graph.ts';

interface PrintOptions {
  /** Where each node comes from, at the end of its line. */
  readonly locs?: boolean;
  /** Contents of all constants, else only of small ones. */
  readonly data?: boolean;
}
/** Contents of constants up to this many elements are written out. */
const INLINE = 16;

/**
 * The text of a graph; `parseGraph` reads it back.
 * ```
 * graph "name" {
 *   dim batch: 1..16
 *   input %x: f32[batch,3]
 *   const %w: f32[3,2] data(8f00b204)
 *   %0: f32[batch,2] = MatMul(%x, %w)
 *   %1: f32[batch,2] = Clip(%0, _, %hi) {mode: "saturate"}
 *   output "y" = %1
 * }
 * ```
 * `_` is an input left out. Attributes that have their default are left out. `= [batch, 3]` behind an input are its tracked contents.
 * A name that is no word follows in quotes: `input %x_0 "x:0": …`.
 */
export function printGraph(g: Graph, o: PrintOptions = {}): string {
  const symbols = new Map<string, Sym>();
  collectSymbols(g, symbols);
  const dims = [...symbols.values()].map(s => `dim ${s.name}: ${s.lo}..${s.hi}`);
  const p: Printer = { options: o, names: new Map(), taken: new Set(), count: 0, lines: [] };
  graph(p, g, '', dims);
  return `${p.lines.join('\n')}\n`;
}
interface Printer {
  readonly options: PrintOptions;
  readonly names: Map<Value, string>;
  readonly taken: Set<string>;
  count: number;
  readonly lines: string[];
}

function collectSymbols(g: Graph, out: Map<string, Sym>): void {
  const dim = (d: Dim): void => {
    if (typeof d === 'object') for (const s of symbolsOf(d)) out.set(s.name, s);
  };
  for (const v of g.inputs) {
    v.type.shape.forEach(dim);
    v.symbolic?.forEach(dim);
  }
  for (const n of nodesOf(g)) {
    for (const v of n.outputs) v.type.shape.forEach(dim);
    for (const a of Object.values(n.attrs)) {
      if (Array.isArray(a)) a.forEach(dim);
      else if (typeof a === 'object' && 'k' in a) dim(a);
    }
    for (const s of subgraphs(n)) collectSymbols(s, out);
  }
}

/** A name for a value that no other has. */
function named(p: Printer, v: Value, wanted: string): string {
  const word = wanted.replaceAll(/[^\w.]/g, '_');
  const base = /^[A-Za-z_]/.test(word) ? word : `c${word}`;
  let name = base;
  for (let i = 1; p.taken.has(name); i++) name = `${base}.${i}`;
  p.taken.add(name);
  p.names.set(v, name);
  return `%${name}${name === wanted ? '' : ` ${quoteJs(wanted)}`}`;
}
const ref = (p: Printer, v: Value | undefined): string => (v ? `%${must(p.names.get(v), `name of a ${showType(v.type)}`)}` : '_');

function graph(p: Printer, g: Graph, indent: string, dims: readonly string[]): void {
  const put = (s: string): void => void p.lines.push(`${indent}  ${s}`);
  p.lines.push(`${indent}graph ${quoteJs(g.name)} {`);
  dims.forEach(put);
  for (const v of g.inputs) {
    const known = v.symbolic ? ` = [${v.symbolic.map(showDim).join(', ')}]` : '';
    put(`input ${named(p, v, v.def.k === 'node' ? '' : v.def.name)}: ${showType(v.type)}${known}`);
  }
  const constants: Value[] = [];
  const constantFirst = (v: Value | undefined): void => {
    if (v?.def.k !== 'const' || p.names.has(v)) return;
    constants.push(v);
    const name = named(p, v, v.def.name === '' ? 'c' : v.def.name).replace(/ "c"$/, '');
    put(`const ${name}: ${showType(v.type)} ${contents(v.def.tensor, p.options)}`);
  };
  for (const n of nodesOf(g)) {
    n.inputs.forEach(constantFirst);
    const outs = n.outputs.map(v => {
      const name = String(p.count++);
      p.names.set(v, name);
      return `%${name}: ${showType(v.type)}`;
    });
    const args = n.inputs.map(v => ref(p, v));
    const line = `${outs.join(', ')} = ${n.op.name}(${args.join(', ')})`;
    const loc = p.options.locs === true ? location(n.loc) : '';
    const subs = Object.entries(n.attrs).filter((a): a is [string, Graph] => isGraph(a[1]));
    const attrs = attributes(n);
    if (subs.length === 0) {
      put(line + (attrs.length > 0 ? ` {${attrs.join(', ')}}` : '') + loc);
      continue;
    }
    put(`${line} {${attrs.map(a => `${a},`).join(' ')}`);
    for (const [name, sub] of subs) {
      put(`  ${name}:`);
      graph(p, sub, `${indent}    `, []);
      p.lines.push(`${must(p.lines.pop())},`);
    }
    put(`}${loc}`);
  }
  for (const o of g.outputs) constantFirst(o.value);
  for (const o of g.outputs) put(`output ${quoteJs(o.name)} = ${ref(p, o.value)}`);
  p.lines.push(`${indent}}`);
  // Another graph that shares a constant declares it again.
  for (const v of constants) p.names.delete(v);
}
const location = (l: Loc): string => (l.k === 'none' ? '' : ` ; ${oneLine(showLoc(l))}`);

/** The attributes of a node that differ from their defaults, as `name: value`; not its graphs. */
function attributes(n: Node): string[] {
  const out: string[] = [];
  for (const [name, v] of Object.entries(n.attrs)) {
    if (v === undefined || isGraph(v)) continue;
    const text = showAttr(v);
    if (text !== showDefault(n.op, name)) out.push(`${name}: ${text}`);
  }
  return out;
}
/** Attributes that say how a node is computed, not what. */
const HOW = ['algorithm'];
/**
 * What a node computes and on which sizes, as one line: `Conv(f32[1,56,56,64], const f32[64,64,3,3]) {pads: [1, 1, 1, 1]}`. Free sizes are
 * their ranges. Nodes with the same line take the same work.
 */
export function stepKey(n: Node): string {
  const type = ({ type: t, def }: Value): string =>
    `${def.k === 'const' ? 'const ' : ''}${t.dtype}[${t.shape.map(showRange).join(',')}]`;
  const attrs = attributes(n).filter(a => !HOW.includes(a.slice(0, a.indexOf(':'))));
  const args = n.inputs.map(v => (v ? type(v) : '_')).join(', ');
  return `${n.op.name}(${args})${attrs.length === 0 ? '' : ` {${attrs.join(', ')}}`}`;
}
function showRange(d: Dim): string {
  if (typeof d === 'number') return String(d);
  const { lo, hi } = rangeOf(d);
  return lo === hi ? String(lo) : `${lo}..${hi}`;
}
function showDefault(op: Op, name: string): string | undefined {
  const d = op.attrs[name]?.default;
  return d === undefined || isGraph(d) ? undefined : showAttr(d);
}
function showAttr(v: Exclude<AttrValue, Graph>): string {
  if (typeof v === 'string') return quoteJs(v);
  if (typeof v === 'boolean') return String(v);
  if (Array.isArray(v)) return `[${v.map(showNumberOrDim).join(', ')}]`;
  return showNumberOrDim(v as Dim);
}
const showNumberOrDim = (d: Dim): string => (typeof d === 'number' ? showNumber(d) : showDim(d));
const showNumber = (n: number): string =>
  n === Infinity ? 'inf' : n === -Infinity ? '-inf' : Number.isNaN(n) ? 'nan' : Object.is(n, -0) ? '-0' : String(n);

/** How the parser spelt a constant whose contents it made up, so that the text stays the same when printed again. */
export const spellings = new WeakMap<Uint8Array, string>();
/** The contents of a constant as text. */
export function contents(t: Tensor, o: PrintOptions): string {
  const spelt = spellings.get(t.bytes);
  if (spelt !== undefined) return spelt;
  const n = numel(t.dims);
  if (n <= INLINE || (o.data === true && t.bytes.length <= 4096)) {
    const wide = t.dtype === 'i64' || t.dtype === 'u64';
    const all = wide ? [...typed(t)].map(String) : [...toNumbers(t)].map(showNumber);
    return `{${all.join(', ')}}`;
  }
  const splat = splatOf(t);
  if (splat !== undefined) return `splat(${showNumber(splat)})`;
  if (o.data === true) return `bytes("${base64(t.bytes)}")`;
  return `data(${hashBytes(t.bytes).toString(16).padStart(8, '0')})`;
}
