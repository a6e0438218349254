import { must } from '../../../core/diagnostic.ts';
import { maxOf } from '../../../core/extremes.ts';
import type { Value } from '../../../graph/graph.ts';
import { Add, Cast, Div, Mul, Pow, Sqrt, Sub, Where, Equal } from '../../../ops/elementwise/index.ts';
import { Det } from '../../../ops/matmul/linalg.ts';
import { NGrams } from '../../../ops/ml/ngrams.ts';
import type { ImportCtx, OnnxBuilder, OnnxNode, OnnxOps } from '../registry.ts';

/** Each length is looked for at each distance, by code of its own. */
const MOST_SEARCHES = 256;
const tfIdf: OnnxBuilder = (n, c) => {
  const mode = n.string('mode');
  if (mode !== 'TF' && mode !== 'IDF' && mode !== 'TFIDF') return n.reject(`mode '${mode}'`);
  const indexes = n.ints('ngram_indexes');
  const size = maxOf(indexes, -1) + 1;
  if (indexes.some(i => i < 0)) n.reject('ngram_indexes out of range');
  c.room(size, 'a vector of n-grams');
  const counts = n.ints('ngram_counts');
  const skips = n.int('max_skip_count');
  if (skips < 0) n.reject(`max_skip_count is ${skips}`);
  if (counts.length * (skips + 1) > MOST_SEARCHES) n.unsupported(`n-grams of ${counts.length} lengths with up to ${skips} skips`);
  return [
    c.apply1(NGrams, [n.input(0)], {
      mode,
      min: n.int('min_gram_length'),
      max: n.int('max_gram_length'),
      skips,
      size,
      counts,
      pool: n.has('pool_strings') ? n.strings('pool_strings').map(t => c.textList.placeOf(t)) : n.ints('pool_int64s'),
      indexes,
      // By n-gram in the file, by column here.
      weights: byColumn(n.floats('weights', []), indexes, size),
    }),
  ];
};
function byColumn(weights: readonly number[], indexes: readonly number[], size: number): number[] {
  if (weights.length === 0) return [];
  const out = new Array<number>(size).fill(1);
  indexes.forEach((column, i) => (out[column] = weights[i] ?? 1));
  return out;
}

/** An optimiser: `step` updates one tensor from its gradient and its states; inputs and outputs come in rows of tensors. */
function optimiser(
  states: number,
  step: (
    n: OnnxNode,
    c: ImportCtx,
    o: { rate: Value; count: Value; x: Value; g: Value; states: readonly Value[] },
  ) => readonly Value[],
): OnnxBuilder {
  return (n, c) => {
    const [rate, count] = [n.input(0, 'R'), n.input(1, 'T')];
    const tensors = (n.inputs.length - 2) / (2 + states);
    if (!Number.isInteger(tensors) || tensors < 1) n.reject(`${n.inputs.length} inputs`);
    const at = (row: number, i: number): Value => n.input(2 + row * tensors + i);
    const rows = Array.from({ length: tensors }, (_, i) =>
      step(n, c, { rate, count, x: at(0, i), g: at(1, i), states: Array.from({ length: states }, (_, s) => at(2 + s, i)) }),
    );
    return Array.from({ length: 1 + states }, (_, row) => rows.map(r => must(r[row]))).flat();
  };
}
/** Arithmetic of tensors and numbers of one type. */
function arithmetic(c: ImportCtx, like: Value) {
  const v = (x: Value | number): Value => (typeof x === 'number' ? c.literal(like.type.dtype, x) : x);
  return {
    add: (a: Value | number, b: Value | number): Value => c.apply1(Add, [v(a), v(b)]),
    sub: (a: Value | number, b: Value | number): Value => c.apply1(Sub, [v(a), v(b)]),
    mul: (a: Value | number, b: Value | number): Value => c.apply1(Mul, [v(a), v(b)]),
    div: (a: Value | number, b: Value | number): Value => c.apply1(Div, [v(a), v(b)]),
    pow: (a: Value | number, b: Value | number): Value => c.apply1(Pow, [v(a), v(b)]),
    sqrt: (a: Value): Value => c.apply1(Sqrt, [a]),
    number: (x: Value): Value => (x.type.dtype === like.type.dtype ? x : c.apply1(Cast, [x], { to: like.type.dtype })),
    isZero: (x: Value): Value => c.apply1(Equal, [x, c.literal(x.type.dtype, 0)]),
    where: (q: Value, a: Value | number, b: Value | number): Value => c.apply1(Where, [q, v(a), v(b)]),
  };
}
const adam = optimiser(2, (n, c, { rate, count, x, g, states }) => {
  const m = arithmetic(c, x);
  const [alpha, beta] = [n.float('alpha', 0.9), n.float('beta', 0.999)];
  const gradient = m.add(m.mul(n.float('norm_coefficient', 0), x), g);
  const v = m.add(m.mul(alpha, must(states[0])), m.mul(1 - alpha, gradient));
  const h = m.add(m.mul(beta, must(states[1])), m.mul(1 - beta, m.mul(gradient, gradient)));
  const t = m.number(count);
  const corrected = m.div(m.mul(m.number(rate), m.sqrt(m.sub(1, m.pow(beta, t)))), m.sub(1, m.pow(alpha, t)));
  const r = m.where(m.isZero(count), m.number(rate), corrected);
  const next = m.sub(x, m.div(m.mul(r, v), m.add(m.sqrt(h), n.float('epsilon', 1e-6))));
  return [m.mul(1 - n.float('norm_coefficient_post', 0), next), v, h];
});
const adagrad = optimiser(1, (n, c, { rate, count, x, g, states }) => {
  const m = arithmetic(c, x);
  const r = m.div(m.number(rate), m.add(1, m.mul(m.number(count), n.float('decay_factor', 0))));
  const gradient = m.add(m.mul(n.float('norm_coefficient', 0), x), g);
  const h = m.add(must(states[0]), m.mul(gradient, gradient));
  return [m.sub(x, m.div(m.mul(r, gradient), m.add(m.sqrt(h), n.float('epsilon', 1e-6)))), h];
});
const momentum = optimiser(1, (n, c, { rate, count, x, g, states }) => {
  const m = arithmetic(c, x);
  const [alpha, beta] = [n.float('alpha'), n.float('beta')];
  const mode = n.string('mode');
  if (mode !== 'standard' && mode !== 'nesterov') n.reject(`mode '${mode}'`);
  const gradient = m.add(m.mul(n.float('norm_coefficient'), x), g);
  // The first step takes the gradient in full.
  const share = m.where(m.isZero(count), 1, beta);
  const v = m.add(m.mul(alpha, must(states[0])), m.mul(share, gradient));
  const by = mode === 'standard' ? v : m.add(gradient, m.mul(alpha, v));
  return [m.sub(x, m.mul(m.number(rate), by)), v];
});

export const miscOps: OnnxOps = {
  Det: (n, c) => [c.apply1(Det, [n.input(0)])],
  TfIdfVectorizer: tfIdf,
  'ai.onnx.preview.training.Adam': adam,
  'ai.onnx.preview.training.Adagrad': adagrad,
  'ai.onnx.preview.training.Momentum': momentum,
};
