import { isFloat } from '../core/dtype.ts';
import { fromNumbers, numel, toNumbers, type Tensor } from '../core/tensor.ts';
import { tensorOf, type Graph, type Node, type Value } from '../graph/graph.ts';
import { allNodes } from '../graph/stats.ts';
import { nextFloat } from '../import/shared/thresholds.ts';
import { attrsOf, type Op } from '../ops/define.ts';
import { Add, Clip, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Max, Min, Sub } from '../ops/elementwise/index.ts';
import { Gather } from '../ops/movement/gather.ts';
import { Softmax } from '../ops/reduce/norm.ts';
import { ArgReduce } from '../ops/reduce/reduce.ts';
import { NonMaxSuppression } from '../ops/sort/nms.ts';
import { TopK } from '../ops/sort/topk.ts';
import { random } from './random.ts';

/** What a graph does to an input element by element, before anything mixes elements. */
interface Uses {
  /** Numbers that elements are compared with, bounded by, or that sums with them are 0 for. */
  readonly numbers: Set<number>;
  /** Elements are indices below this. */
  indices: number | undefined;
  /** Elements are added to scores, of which a softmax is taken. */
  isMask: boolean;
}
/** Nodes looked at, and elements of a constant that are taken. */
const MOST_NODES = 200;
const MOST_NUMBERS = 16;
const COMPARED: ReadonlySet<Op> = new Set<Op>([Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Max, Min, Sub]);
const MOVES = new Set(['elementwise', 'view', 'assemble', 'indexMap']);

function usesOf(graph: Graph, name: string): Uses {
  const readers = new Map<Value, Node[]>();
  for (const n of allNodes(graph))
    for (const v of n.inputs)
      if (v) {
        const had = readers.get(v);
        if (had) had.push(n);
        else readers.set(v, [n]);
      }
  const uses: Uses = { numbers: new Set(), indices: undefined, isMask: false };
  const start = graph.inputs.find(v => v.def.k === 'input' && v.def.name === name);
  const todo = start ? [start] : [];
  const seen = new Set<Value>(todo);
  for (let v = todo.pop(), left = MOST_NODES; v && left > 0; v = todo.pop(), left--)
    for (const n of readers.get(v) ?? []) {
      if (n.op === Softmax) uses.isMask = true;
      if (n.op === Gather && n.inputs[1] === v) uses.indices = least(uses.indices, sizeOf(n));
      for (const c of numbersOf(n)) uses.numbers.add(c);
      if (!MOVES.has(n.op.lower.k)) continue;
      for (const o of n.outputs)
        if (!seen.has(o)) {
          seen.add(o);
          todo.push(o);
        }
    }
  return uses;
}
/** Indices into several tables are within the smallest. */
const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
function sizeOf(n: Node): number | undefined {
  const size = n.inputs[0]?.type.shape[attrsOf(n, Gather).axis];
  return typeof size === 'number' ? size : undefined;
}
function numbersOf(n: Node): readonly number[] {
  if (n.op === Clip) {
    const { lo, hi } = attrsOf(n, Clip);
    return [lo ?? 0, hi ?? 0];
  }
  if (n.op !== Add && !COMPARED.has(n.op)) return [];
  const constants = n.inputs.flatMap(v => {
    const t = tensorOf(v);
    return t && numel(t.dims) <= MOST_NUMBERS ? [...toNumbers(t)] : [];
  });
  return n.op === Add ? constants.map(c => -c) : constants;
}

/** Bounds beyond this are there to stop infinities. Larger numbers than a graph names make rounding errors beyond the tolerances. */
const BOUND = 1e6;
/** What hides a score. */
const HIDES = -1e4;
/** Operators that decide between numbers that may be equal but for rounding. */
const DECIDES: ReadonlySet<Op> = new Set<Op>([ArgReduce, TopK, NonMaxSuppression]);

/** Elements of an input of which some are indices into a table: taken to its range. */
export function withinTables(graph: Graph, name: string, t: Tensor): Tensor {
  const { indices } = usesOf(graph, name);
  return t.dtype === 'text' || indices === undefined
    ? t
    : fromNumbers(
        t.dtype,
        t.dims,
        toNumbers(t).map(i => Math.max(0, Math.min(i, indices - 1))),
      );
}
/**
 * Random elements of an input mixed with those at which models change their ways: zeros of both signs, numbers that they are compared with
 * and their neighbours, repeated numbers, rows of zeros, masks, the first and the last index. The same for the same seed.
 */
export function sharpened(graph: Graph, name: string, t: Tensor, seed: number): Tensor {
  if (t.dtype === 'text') return t;
  const { numbers, indices, isMask } = usesOf(graph, name);
  const next = random(seed);
  const pick = (xs: readonly number[]): number => xs[Math.floor(next() * xs.length)] ?? 0;
  const float = isFloat(t.dtype);
  const known = [...numbers].filter(c => Math.abs(c) <= BOUND && (float || Number.isInteger(c)));
  const beside = known.flatMap(c => (float ? [c, nextFloat(c), -nextFloat(-c)] : [c - 1, c, c + 1]));
  const usual = float ? [0, -0, 1, -1, ...(isMask ? [HIDES] : [])] : indices === undefined ? [0, 1] : [0, indices - 1];
  const data = toNumbers(withinTables(graph, name, t));
  for (let i = 0; i < data.length; i++) {
    if (t.dtype !== 'bool' && next() < 1 / 4) data[i] = pick(beside.length > 0 && next() < 1 / 2 ? beside : usual);
  }
  const width = t.dims.at(-1) ?? 1;
  const decides = [...allNodes(graph)].some(n => DECIDES.has(n.op));
  // Of some rows the end is one number, of some all of it.
  for (let at = 0; at < data.length && !decides; at += width) {
    const way = next();
    const from = way < 1 / 8 ? 0 : way < 3 / 8 ? Math.floor(width / 2) : width;
    const value = isMask && float ? HIDES : next() < 2 / 3 ? 0 : (data[at] ?? 0);
    data.fill(value, at + from, at + width);
  }
  // Numbers that indices are compared with, such as one that hides, and their neighbours may lie outside.
  return withinTables(graph, name, fromNumbers(t.dtype, t.dims, data));
}
