import { CompileError, InternalError, showLoc } from '../core/diagnostic.ts';
import { symbolsOf, type Dim } from '../core/dim.ts';
import { DTYPES } from '../core/dtype.ts';
import { numel } from '../core/tensor.ts';
import { showType, typeEq } from '../core/shape.ts';
import { apply, isGraph, nodesOf, subgraphs, symbolsIn, type Graph, type Node, type Value } from './graph.ts';

/**
 * What is wrong with a graph: results whose types are not what inference says, values from nowhere, inputs that are not declared,
 * symbols that nothing gives a value. Empty where all is well.
 */
export function complaints(g: Graph): readonly string[] {
  const out: string[] = [];
  check(g, new Set(), out);
  return out;
}
/** Throws an InternalError that lists what is wrong; `after` names the pass that made the graph. */
export function verifyGraph(g: Graph, after: string): void {
  const all = complaints(g);
  if (all.length === 0) return;
  const more = all.length > 10 ? `\n  and ${all.length - 10} more` : '';
  throw new InternalError(`after ${after} the graph is not valid:\n  ${all.slice(0, 10).join('\n  ')}${more}`);
}

function check(g: Graph, outer: ReadonlySet<string>, out: string[]): void {
  const nodes = nodesOf(g);
  const made = new Set<Value>(g.inputs);
  const symbols = new Set(outer);
  const says = (s: string): void => void out.push(s);
  g.inputs.forEach((v, i) => {
    if (v.def.k === 'node') says(`input ${i} is the result of a node`);
    for (const d of [...v.type.shape, ...(v.symbolic ?? [])]) for (const s of symbolsOf(d)) symbols.add(s.name);
  });
  if (new Set(g.inputs).size < g.inputs.length) says('an input is there twice');
  const definers = new Set(g.symbolDefinitions.map(v => v.def));
  const use = (v: Value, where: string): void => {
    if (v.def.k === 'const') {
      const { tensor } = v.def;
      if (tensor.bytes.length !== numel(tensor.dims) * DTYPES[tensor.dtype].bytes)
        says(`${where}: a constant ${showType(v.type)} of ${tensor.bytes.length} bytes`);
    } else if (!made.has(v))
      says(`${where}: ${v.def.k === 'input' ? `input '${v.def.name}' is not declared` : 'a value of another graph'}`);
  };
  for (const n of nodes) {
    const where = `${n.op.name}${showLoc(n.loc) === '' ? '' : ` at ${showLoc(n.loc)}`}`;
    for (const v of n.inputs) if (v) use(v, where);
    const own = n.op.definesSymbols?.(n) ?? [];
    if (own.length > 0 && !definers.has(n)) says(`${where}: gives ${own.join(', ')} a value and is not among the definers`);
    for (const s of own) symbols.add(s);
    // A node with sub-graphs may name symbols that live in them alone (the number of an iteration); there they are checked.
    const used =
      subgraphs(n).length > 0 ? n.outputs.flatMap(v => v.type.shape.flatMap(symbolsOf)).map(s => s.name) : [...symbolsIn(n)];
    const free = used.filter(s => !symbols.has(s));
    if (free.length > 0) says(`${where}: nothing gives ${free.join(', ')} a value`);
    for (const s of subgraphs(n)) check(s, new Set([...symbols, ...named(n)]), out);
    retyped(n, where, says);
    for (const v of n.outputs) made.add(v);
  }
  const names = new Set<string>();
  for (const o of g.outputs) {
    use(o.value, `output '${o.name}'`);
    if (names.has(o.name)) says(`output '${o.name}' is there twice`);
    names.add(o.name);
    const free = o.value.type.shape.flatMap((d: Dim) => symbolsOf(d)).filter(s => !symbols.has(s.name));
    if (free.length > 0) says(`output '${o.name}': nothing gives ${free.map(s => s.name).join(', ')} a value`);
  }
}
/** The symbols that a node's own attributes name, not its sub-graphs. */
function named(n: Node): readonly string[] {
  const dims = Object.values(n.attrs).flatMap((a): readonly Dim[] => {
    if (typeof a !== 'object' || isGraph(a)) return [];
    return 'k' in a ? [a] : a;
  });
  return dims.flatMap(d => symbolsOf(d)).map(s => s.name);
}
/** Infers a node's types again. */
function retyped(n: Node, where: string, says: (s: string) => void): void {
  n.outputs.forEach((v, i) => {
    if (v.def !== n || v.index !== i) says(`${where}: result ${i} does not point back`);
  });
  try {
    const again = apply(n.op, n.inputs, n.attrs, n.loc);
    if (again.length !== n.outputs.length) says(`${where}: has ${n.outputs.length} results, inference gives ${again.length}`);
    again.forEach((v, i) => {
      const had = n.outputs[i];
      if (had && !typeEq(v.type, had.type))
        says(`${where}: result ${i} is ${showType(had.type)}, inference gives ${showType(v.type)}`);
    });
  } catch (e) {
    if (!(e instanceof CompileError)) throw e;
    says(`${where}: inference refuses it: ${e.message}`);
  }
}
