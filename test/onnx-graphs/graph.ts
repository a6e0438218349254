/** Random models of ONNX whose every value is known, and the search for the smallest part of one that goes wrong. */
import { isFloat } from '../../compiler/core/dtype.ts';
import { numel, toNumbers, type Tensor } from '../../compiler/core/tensor.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { Draw, type Spec, type Val } from './draw.ts';
import { drawIdiom } from './idioms.ts';
import { cut, type Attr, type Model, type Node } from './model.ts';
import { GENERATORS } from './operators.ts';
import { runNode, type Known, type Rounding } from './oracle.ts';

export interface Problem {
  readonly model: Model;
  readonly known: ReadonlyMap<string, Known>;
}
const LARGEST = 1 << 14;
/** Of NaN and of what is beyond an integer's range each runtime makes what it likes. */
const TO_INTEGERS: readonly string[] = ['Cast', 'QuantizeLinear', 'DynamicQuantizeLinear'];
/** Where NaN stands in an order, onnxruntime tells differently from operator to operator and from size to size. */
const ORDERS: readonly string[] = [
  ...['ArgMax', 'ArgMin', 'TopK', 'ReduceMax', 'ReduceMin', 'Max', 'Min', 'MaxPool', 'GlobalMaxPool', 'Sign', 'Clip'],
];
/** Where large numbers cancel or saturate otherwise inside of onnxruntime's kernels. */
const TAME: readonly string[] = ['LSTM', 'GRU', 'RNN', 'LRN'];
const some = (t: Tensor, what: (x: number) => boolean): boolean => isFloat(t.dtype) && toNumbers(t).some(what);
const undefinedFor = (op: string, t: Tensor): boolean =>
  // Powers of integers go through doubles there, and their overflow is what the processor makes of it.
  (op === 'Pow' && !isFloat(t.dtype)) ||
  // Their constants are single floats there, whatever the type.
  (t.dtype === 'f64' && (op === 'Shrink' || op === 'Gelu')) ||
  // Of nothing it makes as much, reduced or not; and it divides by the rows that it orders.
  ((op.startsWith('Reduce') || op === 'TopK') && numel(t.dims) === 0) ||
  // Of neighbouring results, which we compute together, it may make NaN: README says how far.
  (op.startsWith('Conv') && some(t, x => !Number.isFinite(x))) ||
  // It becomes zero before its end.
  (op === 'Sigmoid' && some(t, x => x < -80)) ||
  (TO_INTEGERS.includes(op) && some(t, x => !(Math.abs(x) < 2 ** 31))) ||
  (ORDERS.includes(op) && some(t, Number.isNaN)) ||
  (TAME.includes(op) && some(t, x => !(Math.abs(x) < 50))) ||
  // After no step at all, its last state is whatever was in memory.
  (TAME.includes(op) && numel(t.dims) === 0);
/** What depends on one operand: a list of no axes is none there, and all are meant; logarithms of integers are NaN and infinite. */
const undefinedBy = (op: string, first: Tensor | undefined, second: Tensor | undefined): boolean =>
  op === 'Squeeze'
    ? second !== undefined && numel(second.dims) === 0
    : op.startsWith('ReduceLog') && first !== undefined && !isFloat(first.dtype);
/** How an operator rounds these operands; undefined where right programs may give different answers. */
export const roundingOf = (op: string, operands: readonly (Tensor | undefined)[]): Rounding | undefined =>
  operands.some(t => t && undefinedFor(op, t)) || undefinedBy(op, operands[0], operands[1])
    ? undefined
    : (roundings.get(op) ?? 'each');
const roundings = new Map(GENERATORS.map(g => [g.name, g.rounding]));

/** A model of 5 to 40 operators; its outputs are the values that nothing uses, and now and then some that are used. */
export async function randomProblem(seed: number, sizes: readonly number[] = [5, 5, 8, 8, 12, 12, 20, 40]): Promise<Problem> {
  const d = new Draw(seed);
  const nodes: Node[] = [];
  const size = d.pick(sizes);
  const apply = async (s: Spec): Promise<Val | undefined> => {
    const how = roundingOf(
      s.op,
      s.inputs.map(v => v?.t),
    );
    if (how === undefined) return undefined;
    const inputs = s.inputs.map(v => v?.name ?? '');
    while (inputs.at(-1) === '') inputs.pop();
    const outputs = Array.from({ length: s.outputs ?? 1 }, (_, i) => `v${nodes.length}${i === 0 ? '' : `.${i}`}`);
    const attrs = Object.fromEntries(Object.entries(s.attrs ?? {}).filter((a): a is [string, Attr] => a[1] !== undefined));
    const node: Node = { op: s.op, inputs, outputs, attrs };
    const got = await runNode(node, d.opset, d.known, new Set(d.constants.keys()), how, d.next);
    if (!got || got.some(k => numel(k.exact.dims) > LARGEST)) return undefined;
    nodes.push(node);
    const made = got.map((k, i) => {
      const name = must(outputs[i]);
      d.known.set(name, k);
      return { name, t: k.exact };
    });
    // What is empty leads to nothing but empty values.
    d.values.push(...made.filter(v => numel(v.t.dims) > 0));
    return made[0];
  };
  const generators = GENERATORS.filter(g => g.since <= d.opset);
  for (let tries = 0; nodes.length < size && tries < 4 * size; tries++) {
    if (d.chance(0.12)) {
      await drawIdiom(d, apply);
      continue;
    }
    const spec = d.pick(generators).draw(d);
    if (spec) await apply(spec);
  }
  const used = new Set(nodes.flatMap(n => n.inputs));
  const made = nodes.flatMap(n => n.outputs);
  const outputs = made.filter(o => !used.has(o) || d.chance(0.05));
  const all: Model = { opset: d.opset, nodes, constants: d.constants, inputs: d.inputs, outputs };
  return { model: cut(all, outputs), known: d.known };
}
/**
 * The smallest part found of a model that still `fails`: one output, values before it as inputs.
 * @param fails tells whether a model goes wrong in the same way
 */
export async function shrink({ model, known }: Problem, fails: (m: Model) => Promise<boolean>): Promise<Model> {
  let best = model;
  const attempt = async (m: Model): Promise<boolean> => {
    if (m.nodes.length === 0 || !(await fails(m))) return false;
    best = m;
    return true;
  };
  for (const n of model.nodes) {
    let found = false;
    for (const o of n.outputs) if (!found && known.has(o)) found = await attempt(cut(model, [o]));
    if (found) break;
  }
  if (best.outputs.length > 1) for (const o of best.outputs) if (await attempt(cut(best, [o]))) break;
  // Values become inputs, those next to the output first, so that much goes at once.
  for (let again = true; again;) {
    again = false;
    for (const n of best.nodes.toReversed().slice(1)) {
      const values = new Map(n.outputs.flatMap((o): [string, Tensor][] => (known.has(o) ? [[o, must(known.get(o)).exact]] : [])));
      if (!best.nodes.includes(n)) continue;
      if (await attempt(cut(best, best.outputs, values))) again = true;
    }
  }
  return best;
}
