import { must } from '../../../core/diagnostic.ts';
import type { DType } from '../../../core/dtype.ts';
import type { Value } from '../../../graph/graph.ts';
import { dtypeOf } from '../decode.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';
import { attend, attendSpelled, defaultScale, joinHeads, splitHeads, type Heads } from './attend.ts';
import { linearAttention } from './linear-attention.ts';
import { rotaryEmbedding } from './rotary.ts';
import { concat, transpose } from '../../shared/views.ts';

/** The type that softmax shall run in, if one is named. */
function precisionOf(n: OnnxNode): DType | undefined {
  const code = n.int('softmax_precision', 0);
  return code === 0 ? undefined : (dtypeOf(code) ?? n.unsupported(`softmax_precision ${code}`));
}

/** Attention of the standard, from version 23 on. */
const attention: OnnxBuilder = (n, c) => {
  const [q, k, v] = [n.input(0, 'Q'), n.input(1, 'K'), n.input(2, 'V')];
  const flat = q.type.shape.length === 3;
  const heads = (x: Value, attribute: string): Value => (flat ? splitHeads(n, c, x, n.int(attribute)) : x);
  const query = heads(q, 'q_num_heads');
  let [keys, values] = [heads(k, 'kv_num_heads'), heads(v, 'kv_num_heads')];
  for (const x of [query, keys, values]) if (x.type.shape.length !== 4) n.reject('Q, K and V must have 3 or 4 axes each');
  const [pastKey, pastValue] = [n.inputs[4], n.inputs[5]];
  if (pastKey) keys = concat(c, [pastKey, keys], 2);
  if (pastValue) values = concat(c, [pastValue, values], 2);
  const lengths = n.inputs[6];
  const causal = n.bool('is_causal', false);
  const h: Heads = {
    q: query,
    k: keys,
    v: values,
    mask: n.inputs[3],
    lengths,
    scale: n.float('scale', defaultScale(n, query)),
    softcap: n.float('softcap', 0),
    causal,
    offset: pastKey ? must(pastKey.type.shape[2]) : 0,
    align: causal && lengths !== undefined ? 'end' : 'none',
  };
  const { y, scores } = result(n, c, h, n.wants(3) ? n.int('qk_matmul_output_mode', 0) : undefined, precisionOf(n));
  return [flat ? joinHeads(c, y) : transpose(c, y, [0, 2, 1, 3]), keys, values, scores];
};
function result(
  n: OnnxNode,
  c: ImportCtx,
  h: Heads,
  keep: number | undefined,
  precision: DType | undefined,
): { readonly y: Value; readonly scores?: Value } {
  if (keep === undefined) return { y: attend(c, h) };
  if (keep < 0 || keep > 3) n.reject(`qk_matmul_output_mode is ${keep}`);
  return attendSpelled(n, c, h, keep, { precision });
}

/** FlexAttention: sub-graphs change scores and weights. */
const flexAttention: OnnxBuilder = (n, c) => {
  const [q, k, v] = [n.input(0, 'Q'), n.input(1, 'K'), n.input(2, 'V')];
  for (const x of [q, k, v]) if (x.type.shape.length !== 4) n.reject('Q, K and V must have 4 axes each');
  const h: Heads = { q, k, v, scale: n.float('scale', defaultScale(n, q)) };
  const back = (y: Value): Value => transpose(c, y, [0, 2, 1, 3]);
  if (!n.has('score_mod') && !n.has('prob_mod')) return [back(attend(c, h))];
  const mod = (name: string) =>
    n.has(name) ? { run: (x: Value): Value => only(n, c.inline(n.graph(name), [x]), x) } : undefined;
  const [score, weight] = [mod('score_mod'), mod('prob_mod')];
  const precision = precisionOf(n) ?? (q.type.dtype === 'f64' ? 'f64' : 'f32');
  const spelled = attendSpelled(n, c, h, 0, {
    precision,
    ...(score ? { score: score.run } : {}),
    ...(weight ? { weight: weight.run } : {}),
  });
  return [back(spelled.y)];
};
function only(n: OnnxNode, outs: readonly Value[], like: Value): Value {
  const [y] = outs;
  if (!y || outs.length !== 1) return n.reject(`a modifier gives ${outs.length} values, must give one`);
  return y.type.dtype === like.type.dtype ? y : n.reject(`a modifier gives ${y.type.dtype}, must give ${like.type.dtype}`);
}

export const attentionOps: OnnxOps = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding,
  LinearAttention: linearAttention,
  'ai.onnx.preview.FlexAttention': flexAttention,
};
