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

/** Operators that may have no inputs, and those that have two or three at least. */
const NO_INPUTS = /^(?:VAR_HANDLE|CALL|CALL_ONCE|RANDOM_.*|Flex.*)$/;
const TWO =
  /^(?:ADD|SUB|MUL|DIV|POW|ATAN2|SQUARED_DIFFERENCE|FLOOR_DIV|FLOOR_MOD|MAXIMUM|MINIMUM|PRELU|GATHER|GATHER_ND|DYNAMIC_UPDATE_SLICE|MATRIX_SET_DIAG|(?:NOT_)?EQUAL|(?:LESS|GREATER)(?:_EQUAL)?|LOGICAL_(?:AND|OR)|BITWISE_XOR|RIGHT_SHIFT)$/;
const THREE = /^SELECT(?:_V2)?$/;
const least = (name: string): number => (NO_INPUTS.test(name) ? 0 : TWO.test(name) ? 2 : THREE.test(name) ? 3 : 1);
/** An operator that is rejected where it has fewer inputs than it works on. */
const withInputs = (name: string, build: TfliteBuilder): TfliteBuilder => {
  const many = least(name);
  return (n, c) => (n.count < many ? n.reject(`it has ${n.count} inputs and needs ${many}`) : build(n, c));
};

/** The operators that are imported, by their names in the file. */
export const tfliteOps: ReadonlyMap<string, TfliteBuilder> = new Map(
  families
    .flatMap(f => Object.entries(f))
    .map(([name, plain]) => {
      const [way] = integers.flatMap(([operands, ops]) => {
        const quantized = ops[name];
        return quantized ? [{ operands, quantized }] : [];
      });
      return [name, withInputs(name, way ? either(plain, way.quantized, way.operands) : plain)] as const;
    }),
);
