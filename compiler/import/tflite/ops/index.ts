import { affineOf } from '../quant.ts';
import type { TfliteBuilder, TfliteCtx, TfliteNode, TfliteOps } from '../registry.ts';
import { flexOps } from '../flex.ts';
import { controlOps } from './control.ts';
import { convOps } from './conv.ts';
import { customOps } from './custom.ts';
import { elementwiseOps } from './elementwise.ts';
import { imageOps } from './image.ts';
import { integerBinary } from './integer-binary.ts';
import { integerUnary } from './integer-unary.ts';
import { integerWindow } from './integer-window.ts';
import { lstmOps } from './lstm.ts';
import { matmulOps } from './matmul.ts';
import { movementOps } from './movement.ts';
import { poolOps } from './pool.ts';
import { reduceOps } from './reduce.ts';
import { rnnOps } from './rnn.ts';
import { selectOps } from './select.ts';
import { sizeOps } from './sizes.ts';
import { variableOps } from './variable.ts';

const families: readonly TfliteOps[] = [
  controlOps,
  convOps,
  lstmOps,
  rnnOps,
  customOps,
  flexOps,
  matmulOps,
  poolOps,
  elementwiseOps,
  movementOps,
  reduceOps,
  imageOps,
  selectOps,
  sizeOps,
  variableOps,
];
/** How operators are computed over quantized tensors, where that is another way, by how many operands are quantized. */
const integers: readonly (readonly [operands: number, ops: TfliteOps])[] = [
  [1, integerUnary],
  [1, integerWindow],
  [2, integerBinary],
];
const isQuantized = (n: TfliteNode, c: TfliteCtx, operands: number): boolean =>
  Array.from({ length: operands }, (_, i) => i).every(i => affineOf(c, n.operand(i)) !== undefined);

/** An operator that has two ways. */
const either =
  (plain: TfliteBuilder, quantized: TfliteBuilder, operands: number): TfliteBuilder =>
  (n, c) =>
    (isQuantized(n, c, operands) ? quantized : plain)(n, c);

/** The operators that are imported, by their names in the file. */
export const tfliteOps: ReadonlyMap<string, TfliteBuilder> = new Map(
  families
    .flatMap(f => Object.entries(f))
    .map(([name, plain]) => {
      const [way] = integers.flatMap(([operands, ops]) => {
        const quantized = ops[name];
        return quantized ? [{ operands, quantized }] : [];
      });
      return [name, way ? either(plain, way.quantized, way.operands) : plain] as const;
    }),
);
