import { must } from '../../core/diagnostic.ts';
import { dimMul, dimProd } from '../../core/dim.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import { tensorType } from '../../core/shape.ts';
import { Conv } from './conv.ts';
import { attr, defineOp } from '../define.ts';
import { checkIntegers, shifted } from '../quant/integers.ts';
import { acceptsInteger, integerSpace, lowerConvInteger, wordForm } from './schedules/integer.ts';
import { windowAttrs } from '../spatial.ts';

export const ConvInteger = defineOp({
  name: 'ConvInteger',
  doc: 'Conv of x - xZero with w - wZero in integers, where padding counts as xZero. x, w: u8 or i8; xZero a number; wZero broadcasts to w.',
  inputs: ['x', 'w', 'xZero?', 'wZero?'],
  // `to`: i32, or f32 as a promise that it holds all sums.
  attrs: { ...windowAttrs, group: attr.int(1), to: attr.oneOf(['i32', 'f32'], 'i32') },
  infer: c => {
    const [x, w, xZero] = [must(c.types[0]), must(c.types[1]), c.types[2]];
    checkIntegers(c.types, ['x', 'w'], why => c.reject(why));
    if (xZero && xZero.shape.length > 0) c.reject('the zero point of x is not a number');
    const { to, ...attrs } = c.attrs;
    const as = (t: typeof x): typeof x => tensorType('i32', t.shape);
    const [sums] = Conv.infer({
      ...c,
      types: [as(x), as(w)],
      attrs: { ...attrs, exact: false, fewBits: false, algorithm: 'auto' },
      same: (a, b, what) => c.same(a, b, what),
      reject: why => c.reject(why),
    });
    return [tensorType(to, must(sums).shape)];
  },
  eval: (c, x, w, xz, wz) => {
    const [sums] = Conv.eval(c, shifted(must(x), xz), shifted(must(w), wz));
    return [fromNumbers(c.attrs.to, must(sums).dims, toNumbers(must(sums)))];
  },
  macs: n => {
    const w = must(n.inputs[1]).type.shape;
    return dimMul(dimProd(must(n.outputs[0]).type.shape), dimProd(w.slice(1)));
  },
  native: (n, profile) => wordForm(profile, n) !== undefined,
  channelsLast: n => (n.attrs.layout === 'NCHW' ? { ...n.attrs, layout: 'NHWC' } : undefined),
  lower: { k: 'kernel', accepts: acceptsInteger, iterationSpace: integerSpace, build: lowerConvInteger },
});
