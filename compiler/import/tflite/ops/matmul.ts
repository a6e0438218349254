import { dimEq, dimFloorDiv, dimProd } from '../../../core/dim.ts';
import type { Value } from '../../../graph/graph.ts';
import { MatMul } from '../../../ops/matmul/matmul.ts';
import { biasAdd } from '../../shared/tensorflow/conv.ts';
import { reshape } from '../../shared/views.ts';
import { isQuantized, quantizedProduct } from '../integers.ts';
import { sizeAt } from '../../shared/axes.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { fused, real, realOr, result } from './real.ts';

/** x as rows of as many elements as the weights [O, I] take. */
function rows(c: TfliteCtx, n: TfliteNode, x: Value, w: Value): Value {
  const depth = sizeAt(c, w, 1);
  if (n.bool('keep_num_dims')) return x;
  const last = x.type.shape.at(-1);
  const whole = dimProd(x.type.shape);
  const many = last !== undefined && dimEq(last, depth) ? dimProd(x.type.shape.slice(0, -1)) : dimFloorDiv(whole, depth);
  return reshape(c, x, [many, depth]);
}
const fullyConnected: TfliteBuilder = (n, c) => {
  const w = n.input(1);
  if (w.type.shape.length !== 2) n.reject('its weights must have two axes');
  if (n.int('weights_format') !== 0) n.unsupported('shuffled weights');
  if (isQuantized(n, c)) return [quantizedProduct(n, c, rows(c, n, n.input(0), w))];
  const y = c.apply1(MatMul, [rows(c, n, real(n, c, 0), w), real(n, c, 1)], { transB: true });
  return [result(n, c, 0, fused(n, c, biasAdd(c, y, realOr(n, c, 2), 'NHWC')))];
};
const batchMatMul: TfliteBuilder = (n, c) => {
  const y = c.apply1(MatMul, [real(n, c, 0), real(n, c, 1)], { transA: n.bool('adj_x'), transB: n.bool('adj_y') });
  return [result(n, c, 0, y)];
};

export const matmulOps: TfliteOps = { FULLY_CONNECTED: fullyConnected, BATCH_MATMUL: batchMatMul };
