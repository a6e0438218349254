import { fail } from '../../core/diagnostic.ts';
import { unsafePath, type ExternalResolver } from '../shared/external.ts';
import { textOf } from '../shared/cursor.ts';
import type { FunctionDef, GraphDef, MetaGraphDef, NodeDef, TensorProto } from './records.ts';
import { dataOf } from './frames.ts';
import { splitRef } from './refs.ts';
import type { LookupTable } from './registry.ts';
import { INT64, STRING, tensorProto, typeName } from './tensor.ts';

/** Tables of keys and values: what fills them is found by how their handles flow into the nodes that do, as for variables. */

const TABLE = /^HashTable(?:V2)?$/;
const FILL = /^(?:LookupTableImport|InitializeTable)(?:V2)?$/;
const FILL_FROM_FILE = /^InitializeTableFromTextFile(?:V2)?$/;
/** Functions are followed so deep. */
const DEEPEST = 8;

/** A value as a node of the main graph or of a function, whose arguments lead further. */
interface Place {
  readonly nodes: ReadonlyMap<string, NodeDef>;
  argument(name: string): NodeDef | undefined;
}
/** The node that a value comes from. */
function sourceOf(p: Place, text: string | undefined): NodeDef | undefined {
  let [name] = splitRef(text ?? '');
  const seen = new Set<string>();
  for (let n = p.nodes.get(name); n && !seen.has(name); n = p.nodes.get(name)) {
    if (n.op !== 'Identity') return n;
    seen.add(name);
    [name] = splitRef(dataOf(n)[0] ?? '');
  }
  return p.argument(name);
}

/** What is in the files that a model has for its tables, by the tensor that names each; `beside` gives the files. */
interface Assets {
  readonly file: string;
  readonly list: MetaGraphDef['assets'];
  readonly beside: ExternalResolver | undefined;
}
/** What tables hold, by the names of their nodes. E204: a file of theirs is missing. */
export function tablesOf(g: GraphDef, assets: Assets): (key: string) => LookupTable | undefined {
  const functions = new Map((g.library?.functions ?? []).map(f => [f.signature?.name ?? '', f]));
  const out = new Map<string, () => LookupTable>();
  const fills = (nodes: readonly NodeDef[]): boolean => nodes.some(n => FILL.test(n.op) || FILL_FROM_FILE.test(n.op));
  const filling = new Set([...functions.values()].filter(f => fills(f.nodes)));
  const walk = (nodes: readonly NodeDef[], argument: Place['argument'], deep: number): void => {
    const place: Place = { nodes: new Map(nodes.map(n => [n.name, n])), argument };
    for (const n of nodes) {
      const inputs = dataOf(n);
      const handle = FILL.test(n.op) || FILL_FROM_FILE.test(n.op) ? sourceOf(place, inputs[0]) : undefined;
      if (handle && TABLE.test(handle.op)) {
        const [keys, values] = inputs.slice(1).map(i => sourceOf(place, i));
        out.set(handle.name, () => (FILL.test(n.op) ? given(n, keys, values, assets) : fromFile(n, handle, keys, assets)));
      }
      const name = n.attr.find(a => a.key === 'f')?.value?.func?.name ?? n.op;
      const fn: FunctionDef | undefined = functions.get(name);
      if (!fn || deep === 0 || (!filling.has(fn) && !fn.nodes.some(m => m.attr.some(a => a.value?.func)))) continue;
      const formals = fn.signature?.inputArg ?? [];
      const sources = new Map(formals.map((f, i) => [f.name, sourceOf(place, inputs[i])]));
      walk(fn.nodes, arg => sources.get(arg), deep - 1);
    }
  };
  if (filling.size > 0 || fills(g.nodes)) walk(g.nodes, () => undefined, DEEPEST);
  return key => out.get(key)?.();
}
const constantOf = (n: NodeDef | undefined): TensorProto | undefined =>
  n?.op === 'Const' ? n.attr.find(a => a.key === 'value')?.value?.tensor : undefined;
function given(n: NodeDef, keys: NodeDef | undefined, values: NodeDef | undefined, { file }: Assets): LookupTable {
  const [k, v] = [constantOf(keys), constantOf(values)];
  if (k && v) return { keys: k, values: v };
  return fail('E101', { op: n.op, why: ': its keys and values are no constants' }, { k: 'file', file, what: n.name });
}

/** Which part of a line is a key or a value: the whole line, its number, or a column. */
const WHOLE_LINE = -2;
const LINE_NUMBER = -1;
function fromFile(n: NodeDef, table: NodeDef, name: NodeDef | undefined, a: Assets): LookupTable {
  const bad = (why: string): never => fail('E204', { why }, { k: 'file', file: a.file, what: n.name });
  const asset = a.list.find(x => x.tensor?.name === `${name?.name ?? ''}:0`)?.file;
  if (asset === undefined) return bad(`the text file of table '${table.name}' is none of the model's assets`);
  const path = `assets/${asset}`;
  const unsafe = unsafePath(path);
  if (unsafe !== undefined) return bad(`'${path}' ${unsafe}`);
  if (!a.beside) return bad(`'${path}' cannot be read: only the model's own bytes were given`);
  const attr = (key: string) => n.attr.find(x => x.key === key)?.value;
  const int = (key: string, otherwise: number): number => attr(key)?.i ?? otherwise;
  const text = textOf(a.beside(path, 0, undefined));
  const all = text.split('\n').map(l => (l.endsWith('\r') ? l.slice(0, -1) : l));
  if (all.at(-1) === '') all.pop();
  const size = int('vocab_size', -1);
  const lines = all.slice(int('offset', 0)).slice(0, size < 0 ? undefined : size);
  const delimiter = attr('delimiter')?.s ?? '\t';
  const column = (index: number, dtype: number): TensorProto => {
    const texts = (): string[] =>
      index === WHOLE_LINE
        ? lines
        : lines.map((l, i) => l.split(delimiter)[index] ?? bad(`line ${i + 1} of '${path}' has no column ${index}`));
    if (dtype === STRING) return tensorProto(STRING, [lines.length], new Uint8Array(), texts());
    if (dtype !== INT64) return bad(`a table of ${typeName(dtype)} out of '${path}'`);
    const number = (t: string, i: number): number =>
      /^\s*-?\d+\s*$/.test(t) ? Number(t) : bad(`line ${i + 1} of '${path}' has no integer in column ${index}`);
    const numbers = index === LINE_NUMBER ? lines.map((_, i) => i) : texts().map(number);
    return tensorProto(INT64, [lines.length], new Uint8Array(BigInt64Array.from(numbers.map(BigInt)).buffer));
  };
  const type = (key: string): number => table.attr.find(x => x.key === key)?.value?.type ?? 0;
  return {
    keys: column(int('key_index', WHOLE_LINE), type('key_dtype')),
    values: column(int('value_index', LINE_NUMBER), type('value_dtype')),
  };
}
