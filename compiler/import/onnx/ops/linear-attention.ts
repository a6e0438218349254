import { must } from '../../../core/diagnostic.ts';
import { dimHi, type Dim } from '../../../core/dim.ts';
import type { DType } from '../../../core/dtype.ts';
import { tensorType } from '../../../core/shape.ts';
import { zeros } from '../../../core/tensor.ts';
import { input, type Graph, type Value } from '../../../graph/graph.ts';
import { Add, Cast, Exp, Mul, Sub } from '../../../ops/elementwise/index.ts';
import { Loop } from '../../../ops/control/loop.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import type { OnnxBuilder } from '../registry.ts';
import { expand, reshape } from '../../shared/views.ts';

/**
 * LinearAttention: a state [batch, kv heads, dk, dv] that each step decays, corrects and writes, and that queries read. One loop over
 * time; the sums are in f32 whatever the element type.
 */
export const linearAttention: OnnxBuilder = (n, c) => {
  const rule = n.string('update_rule', 'gated_delta');
  const [gated, delta] = [rule === 'gated' || rule === 'gated_delta', rule === 'delta' || rule === 'gated_delta'];
  if (!gated && !delta && rule !== 'linear') n.reject(`update_rule '${rule}'`);
  const [query, key, value] = [n.input(0, 'query'), n.input(1, 'key'), n.input(2, 'value')];
  const [past, decay, beta] = [n.inputs[3], n.inputs[4], n.inputs[5]];
  if (gated !== (decay !== undefined)) n.reject(`update_rule '${rule}' and decay do not go together`);
  if (delta !== (beta !== undefined)) n.reject(`update_rule '${rule}' and beta do not go together`);
  const [heads, kvHeads] = [n.int('q_num_heads'), n.int('kv_num_heads')];
  if (kvHeads < 1 || heads % kvHeads !== 0) n.reject(`${heads} heads cannot share ${kvHeads}`);
  const dtype = query.type.dtype;
  const work: DType = dtype === 'f64' ? 'f64' : 'f32';
  const cast = (x: Value, to: DType): Value => (x.type.dtype === to ? x : c.apply1(Cast, [x], { to }));
  /** [batch, time, h * d] as [batch, time, h, d]. */
  const split = (x: Value, h: number, what: string): Value => {
    const [b, t, width] = x.type.shape;
    if (b === undefined || t === undefined || x.type.shape.length !== 3)
      return n.reject(`${what} has ${x.type.shape.length} axes, must have 3`);
    if (typeof width !== 'number') return n.unsupported(`the width of ${what} is known only when the model runs`);
    if (width % h !== 0) n.reject(`${what} of width ${width} is not for ${h} heads`);
    return cast(reshape(c, x, [b, t, h, width / h]), work);
  };
  const [q, k, v] = [split(query, heads, 'query'), split(key, kvHeads, 'key'), split(value, kvHeads, 'value')];
  const [batch = 1, time = 1] = q.type.shape;
  const [dk, dv] = [must(k.type.shape[3]), must(v.type.shape[3])];
  const stateShape = [batch, kvHeads, dk, dv];
  const first = past ? cast(past, work) : expand(c, c.constant(zeros(work, [1, 1, 1, 1])), stateShape);
  const scans = [
    q,
    k,
    v,
    ...(decay ? [split(decay, kvHeads, 'decay')] : []),
    ...(beta ? [split(beta, Number(beta.type.shape[2]) === 1 ? 1 : kvHeads, 'beta')] : []),
  ];

  // The body: one step for all heads.
  const ins = [
    input('state', tensorType(work, stateShape)),
    ...scans.map((s, i) =>
      input(
        `step_${i}`,
        tensorType(
          work,
          s.type.shape.filter((_, a) => a !== 1),
        ),
      ),
    ),
  ];
  const [state, qt, kt, vt] = [must(ins[0]), must(ins[1]), must(ins[2]), must(ins[3])];
  const [gt, bt] = [decay ? must(ins[4]) : undefined, beta ? must(ins.at(-1)) : undefined];
  const shaped = (x: Value, ...shape: readonly Dim[]): Value => reshape(c, x, [batch, ...shape]);
  let s = state;
  if (gt) s = c.apply1(Mul, [s, shaped(c.apply1(Exp, [gt]), kvHeads, must(gt.type.shape[2]), 1)]);
  const row = shaped(kt, kvHeads, 1, dk);
  let write = shaped(vt, kvHeads, 1, dv);
  if (bt) write = c.apply1(Mul, [shaped(bt, must(bt.type.shape[1]), 1, 1), c.apply1(Sub, [write, c.apply1(MatMul, [row, s])])]);
  s = c.apply1(Add, [s, c.apply1(Mul, [shaped(kt, kvHeads, dk, 1), write])]);
  const scale = n.float('scale', 0);
  const by = scale === 0 ? 1 / Math.sqrt(Number(dk)) : scale;
  const read = c.apply1(MatMul, [shaped(qt, kvHeads, heads / kvHeads, dk), s]);
  const out = c.apply1(Mul, [shaped(read, heads, dv), c.literal(work, by)]);
  const body: Graph = {
    name: 'step',
    inputs: ins,
    outputs: [
      { name: 'state', value: s },
      { name: 'out', value: out },
    ],
    symbolDefinitions: [],
  };
  const ones = scans.map(() => 1);
  const [last, all] = c.apply(Loop, [undefined, undefined, first, ...scans], {
    body,
    carried: 1,
    scanned: scans.length,
    counts: false,
    conditional: false,
    iter: c.symbol('step', 0, Math.max(0, dimHi(time) - 1)),
    trip: time,
    count: time,
    inAxes: ones,
    inReverse: ones.map(() => 0),
    outAxes: [1],
    outReverse: [0],
  });
  const y = reshape(c, must(all), [batch, time, heads * Number(dv)]);
  return [cast(y, dtype), cast(must(last), past ? past.type.dtype : dtype)];
};
