import { must } from '../../core/diagnostic.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { attr, defineOp } from '../define.ts';
import { checkIntegers, shifted } from '../quant/integers.ts';
import { MatMul } from './matmul.ts';
import { lowerMatMulInteger, wordForm } from './schedules/integer.ts';
import { matMulSpace } from './schedules/matmul.ts';

export const MatMulInteger = defineOp({
  name: 'MatMulInteger',
  doc: 'MatMul of a - aZero with b - bZero in integers. a, b: u8 or i8; the zero points broadcast to them.',
  inputs: ['a', 'b', 'aZero?', 'bZero?'],
  // `to`: i32, or f32 as a promise that it holds all sums.
  attrs: { transB: attr.bool(false), to: attr.oneOf(['i32', 'f32'], 'i32') },
  infer: c => {
    checkIntegers(c.types, ['a', 'b'], why => c.reject(why));
    const [sums] = MatMul.infer({
      ...c,
      types: [0, 1].map(i => tensorType('i32', must(c.types[i]).shape)),
      attrs: { transA: false, transB: c.attrs.transB, exact: false, fewBits: false },
      same: (a, b, what) => c.same(a, b, what),
      reject: why => c.reject(why),
    });
    return [tensorType(c.attrs.to, must(sums).shape)];
  },
  eval: (c, a, b, aZero, bZero) => {
    const [sums] = MatMul.eval(c, shifted(must(a), aZero), shifted(must(b), bZero));
    return [fromNumbers(c.attrs.to, must(sums).dims, toNumbers(must(sums)))];
  },
  macs: n => must(MatMul.macs?.(n)),
  native: (n, profile) => wordForm(profile, n) !== undefined,
  lower: {
    k: 'kernel',
    accepts: i => (i === 0 ? 'indexMap' : 'buffer'),
    iterationSpace: matMulSpace,
    build: lowerMatMulInteger,
  },
});
