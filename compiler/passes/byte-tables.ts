import { must } from '../core/diagnostic.ts';
import { dimsEq } from '../core/dim.ts';
import { regOf } from '../core/dtype.ts';
import { numel, toNumbers, type Tensor } from '../core/tensor.ts';
import { foldNode } from '../graph/fold.ts';
import { apply, constant, tensorOf, type Node, type Value } from '../graph/graph.ts';
import { KernelBuilder, type Buffer } from '../kernel/builder.ts';
import { vtype, type Expr } from '../kernel/ir.ts';
import { allBytes, ByteTable, BYTES } from '../ops/quant/byte-table.ts';
import { byteRange } from '../ops/quant/integers.ts';
import { exprCost } from '../ops/schedules/sink.ts';
import { mapDeep, type Step } from './deep.ts';
import type { GraphPass } from './pass.ts';

/** A value that is a function of one value of 8 bits, element by element. */
interface OfByte {
  readonly of: Value;
  /** Its results for all bytes, as `allBytes` has them. */
  readonly results: Tensor;
  /** What it takes to compute it from the byte, in instructions. */
  readonly cost: number;
}
/** A table takes three instructions an element, and memory: it replaces what takes more than this. */
const WORTH = 8;

function tables(scarce: boolean): Step {
  const known = new Map<Value, OfByte>();
  const ofByte = (v: Value): OfByte | undefined =>
    known.get(v) ?? (byteRange(v.type.dtype) ? { of: v, results: allBytes(v.type.dtype), cost: 0 } : undefined);
  /** What a node computes, if its operands are functions of one byte and numbers. */
  function follow(n: Node, inputs: readonly (Value | undefined)[]): OfByte | undefined {
    if (n.op.lower.k !== 'elementwise') return undefined;
    const [out] = n.outputs;
    const operands = inputs.map(v => {
      const t = tensorOf(v);
      return t ? numel(t.dims) === 1 && { number: t } : v && ofByte(v);
    });
    const bytes = operands.flatMap(o => (o && 'of' in o ? [o] : []));
    const [first] = bytes;
    if (!out || !first || operands.some(o => !o) || bytes.some(b => b.of !== first.of)) return undefined;
    if (!dimsEq(first.of.type.shape, out.type.shape)) return undefined;
    const args = operands.map(o => (o && 'of' in o ? constant(o.results) : o ? constant(o.number) : undefined));
    const { def } = must(apply(n.op, args, n.attrs, n.loc)[0]);
    const results = def.k === 'node' ? tensorOf(foldNode(def, BYTES * 8)?.values[0]) : undefined;
    return results && { of: first.of, results, cost: costOf(n) + bytes.reduce((sum, b) => sum + b.cost, 0) };
  }
  return (n, inputs) => {
    const f = follow(n, inputs);
    if (!f) return undefined;
    const { dtype } = must(n.outputs[0]).type;
    const numbers = toNumbers(f.results);
    // An attribute holds numbers: infinities and NaN stay computed.
    // Results of four bytes each are for targets with room.
    const fits = byteRange(dtype) !== undefined || (dtype === 'f32' && !scarce);
    const made = fits && f.cost > WORTH && numbers.every(Number.isFinite);
    const same = (): readonly Value[] =>
      inputs.every((v, i) => v === n.inputs[i]) ? n.outputs : apply(n.op, inputs, n.attrs, n.loc);
    const outputs = made ? apply(ByteTable, [f.of], { to: dtype, values: [...numbers] }, n.loc) : same();
    known.set(must(outputs[0]), made ? { ...f, cost: WORTH / 2 } : f);
    return outputs;
  };
}
function costOf(n: Node): number {
  const { lower } = n.op;
  if (lower.k !== 'elementwise') return 0;
  const k = new KernelBuilder();
  const types = n.inputs.map(v => must(v).type.dtype);
  const table = (t: Tensor): Buffer => ({ name: 'table', dtype: t.dtype });
  const args = n.inputs.map((v, i): Expr => ({ k: 'var', t: vtype(regOf(must(v).type.dtype)), name: `a${i}` }));
  return exprCost(lower.scalar(args, { k, attrs: n.attrs, types, out: must(n.outputs[0]).type.dtype, lanes: 1, table }));
}

export const byteTables: GraphPass = {
  name: 'byte-tables',
  doc: 'Elementwise functions of one byte, however many operators they take, are looked up in tables of 256 entries.',
  run: (g, { profile }) => mapDeep(g, () => tables(profile.memory.scarce)),
};
