/**
 * What onnxruntime says of one operator: without optimisations, alone in its model. Each floating-point result is followed along with
 * copies that random errors were added to after every operator that rounds, as in Monte Carlo arithmetic (D. Stott Parker 1997): how far
 * these spread tells how far another right program may be off.
 */
import * as ort from 'onnxruntime-node';
import { DTYPES, isDType, isFloat, type DType } from '../../compiler/core/dtype.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { fromNumbers, fromTyped, toNumbers, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { fileOf, type Model, type Node } from './model.ts';

/** A tensor, and its copies with errors. */
export interface Known {
  readonly exact: Tensor;
  readonly noisy: readonly Tensor[];
}
export const COPIES = 4;
/** Relative size of the errors, some units in the last place; and the least number, below which some processors and programs have zero. */
const ERROR: Partial<Record<DType, readonly [number, number]>> = {
  f32: [1e-6, 2 ** -126],
  f64: [1e-14, 2 ** -1022],
  f16: [1e-3, 2 ** -14],
};
const RTOL: Partial<Record<DType, number>> = { f64: 1e-9, f16: 2e-3 };

const byName = new Map(Object.entries(DTYPES).map(([t, info]): [string, string] => [info.ort, t]));
function tensorOf(t: ort.Tensor): Tensor {
  const dtype = must(byName.get(t.type));
  if (!isDType(dtype)) throw new Error(`onnxruntime gives ${t.type}`);
  return fromTyped(dtype, t.dims, (t.data as Uint8Array).slice());
}
const ortTensor = (t: Tensor): ort.Tensor => new ort.Tensor(DTYPES[t.dtype].ort as 'float32', typed(t) as Float32Array, t.dims);
const OPTIONS: ort.InferenceSession.SessionOptions = {
  graphOptimizationLevel: 'disabled',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 4,
};
/**
 * How the floats that an operator gives are rounded. `not`: they are chosen or moved. `each`: by its own size. `sums`: by the size of what
 * it was added up from inside the operator, for which the largest element of operands and results stands. `unit`: as parts of 1, like the quotients of polynomials by which onnxruntime
 * computes logistic functions, which are 0 below -18.
 */
export type Rounding = 'not' | 'each' | 'sums' | 'unit';
function withErrors(t: Tensor, least: number, next: () => number): Tensor {
  const [by, normal] = ERROR[t.dtype] ?? [];
  if (by === undefined || normal === undefined) return t;
  const error = (x: number): number => by * (2 * next() - 1) * Math.max(Math.abs(x), least);
  return fromNumbers(
    t.dtype,
    t.dims,
    toNumbers(t).map(x => (!Number.isFinite(x) ? x : Math.abs(x) < normal && next() < 0.5 ? 0 : x + error(x))),
  );
}
const largest = (ts: readonly Tensor[]): number =>
  ts.reduce(
    (most, t) =>
      isFloat(t.dtype) ? toNumbers(t).reduce((m, x) => (Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m), most) : most,
    0,
  );
/** Operators whose other operands say what to do, which an error would change. */
const BY_DATA: readonly string[] = ['Resize', 'Upsample', 'QuantizeLinear', 'Clip', 'Pad', 'OneHot'];
/**
 * The outputs of a node, each exactly and with errors; undefined where onnxruntime does not take the node, or gives what is no tensor.
 */
export async function runNode(
  node: Node,
  opset: number,
  values: ReadonlyMap<string, Known>,
  constants: ReadonlySet<string>,
  how: Rounding,
  next: () => number,
): Promise<readonly Known[] | undefined> {
  const names = [...new Set(node.inputs.filter(i => i !== ''))];
  const fixed = (n: string): boolean =>
    constants.has(n) && (BY_DATA.includes(node.op) || !isFloat(must(values.get(n)).exact.dtype));
  const of = (constant: boolean): [string, Tensor][] =>
    names.filter(n => fixed(n) === constant).map(n => [n, must(values.get(n)).exact]);
  const inputs = of(false);
  const outputs = node.outputs.filter(o => o !== '');
  let session: ort.InferenceSession;
  try {
    const model = { opset, nodes: [node], constants: new Map(of(true)), inputs: new Map(inputs), outputs };
    session = await ort.InferenceSession.create(fileOf(model), OPTIONS);
  } catch {
    return undefined;
  }
  try {
    const run = async (pick: (k: Known) => Tensor): Promise<Tensor[]> => {
      const got = await session.run(Object.fromEntries(inputs.map(([n]) => [n, ortTensor(pick(must(values.get(n))))])));
      return outputs.map(o => tensorOf(must(got[o])));
    };
    const exact = await run(k => k.exact);
    const least = how === 'sums' ? largest([...inputs.map(([, t]) => t), ...exact]) : how === 'unit' ? 1 : 0;
    const noisy: Tensor[][] = [];
    for (let i = 0; i < COPIES; i++) {
      // Sums that cancel are as uncertain as what they add.
      const same = how === 'not' && inputs.every(([n]) => must(values.get(n)).noisy[i] === must(values.get(n)).exact);
      const err = (t: Tensor, by: number): Tensor => (how === 'not' ? t : withErrors(t, by, next));
      noisy.push(same ? exact : (await run(k => err(must(k.noisy[i]), 0))).map(t => err(t, least)));
    }
    return exact.map((t, j) => ({ exact: t, noisy: noisy.map(list => must(list[j])) }));
  } catch {
    return undefined;
  } finally {
    await session.release();
  }
}
/**
 * In what way a tensor is not what the oracle says, or undefined. Elements whose copies tell that rounding decides about them (other
 * integers, finite or not, a spread as large as they are) are not compared.
 */
export function departure(got: Tensor | undefined, want: Known): string | undefined {
  const { exact, noisy } = want;
  if (!got) return 'is missing';
  if (got.dtype !== exact.dtype) return `has type ${got.dtype} instead of ${exact.dtype}`;
  if (noisy.some(t => t.dims.join() !== exact.dims.join())) return undefined;
  if (got.dims.join() !== exact.dims.join()) return `has shape [${got.dims.join()}] instead of [${exact.dims.join()}]`;
  const g = toNumbers(got);
  const w = toNumbers(exact);
  const copies = noisy.map(toNumbers);
  const rtol = RTOL[exact.dtype] ?? 2e-5;
  let wrong = 0;
  let first = '';
  w.forEach((x, i) => {
    const y = g[i] ?? NaN;
    if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) return;
    const spread = copies.reduce((m, c) => {
      const d = Math.abs((c[i] ?? NaN) - x);
      return Object.is(c[i], x) ? m : Number.isNaN(d) ? Infinity : Math.max(m, d);
    }, 0);
    if (isFloat(exact.dtype)) {
      if (Math.abs(x - y) <= rtol * Math.abs(x) + 30 * spread + 1e-30) return;
    } else if (spread > 0) return;
    if (wrong++ === 0)
      first = `element ${i} is ${y} instead of ${x}${spread > 0 ? ` (known to ${spread.toExponential(1)})` : ''}`;
  });
  return wrong === 0 ? undefined : `${wrong} of ${w.length} elements: ${first}`;
}
/** What is known of the outputs of nodes, each with its operands: what models share needs to be run once. */
export type Results = Map<Node, { readonly operands: readonly (Known | undefined)[]; readonly got: readonly Known[] }>;

/**
 * All values of a model, run operator by operator; undefined where onnxruntime refuses one.
 * @param before the same of a model of the same set of operators that shares nodes and tensors with this one
 */
export async function follow(
  m: Model,
  roundingOf: (op: string, operands: readonly (Tensor | undefined)[]) => Rounding | undefined,
  next: () => number,
  before: { readonly known: ReadonlyMap<string, Known>; readonly results: Results },
): Promise<ReadonlyMap<string, Known> | undefined> {
  const known = new Map<string, Known>();
  for (const [name, t] of [...m.inputs, ...m.constants]) {
    const had = before.known.get(name);
    known.set(name, had?.exact === t ? had : { exact: t, noisy: new Array<Tensor>(COPIES).fill(t) });
  }
  for (const n of m.nodes) {
    const operands = n.inputs.map(i => known.get(i));
    const how = roundingOf(
      n.op,
      operands.map(k => k?.exact),
    );
    const ready = n.inputs.every(i => i === '' || known.has(i));
    if (!how || !ready) return undefined;
    const had = before.results.get(n);
    const same = had && had.operands.every((k, i) => k === operands[i]);
    const got = same ? had.got : await runNode(n, m.opset, known, new Set(m.constants.keys()), how, next);
    if (!got) return undefined;
    if (!had) before.results.set(n, { operands, got });
    n.outputs.filter(o => o !== '').forEach((o, i) => known.set(o, must(got[i])));
  }
  return known;
}
