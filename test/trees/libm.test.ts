/** Float32 functions of the C library that XGBoost's answers depend on, against glibc 2.36: numbers where it is not the nearest float. */
import { expect, it } from '@jest/globals';
import { logf } from '../../compiler/import/xgboost/logf.ts';

it.each([
  [0.9760311245918274, -0.024260802194476128],
  [1.037274718284607, 0.03659680858254433],
  [0.6337458491325378, -0.4561072587966919],
  [1.0139203071594238, 0.013824310153722763],
  [1.584959864616394, 0.46055909991264343],
  [0.9889599084854126, -0.011101486161351204],
  [1.1005309820175171, 0.09579277038574219],
  [0.9538058042526245, -0.047295186668634415],
  // Elsewhere it is.
  [0.324329674243927, -1.1259948015213013],
  [2.035250425338745, 0.7106188535690308],
  [0.02127920463681221, -3.850024938583374],
  [1, 0],
  [0, -Infinity],
  [Infinity, Infinity],
  [-1, NaN],
])('logf(%f)', (x, want) => expect(logf(x)).toBe(want));
