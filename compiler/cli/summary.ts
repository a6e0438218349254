import { DTYPES } from '../core/dtype.ts';
import { showNumber } from '../core/format.ts';
import { quoteJs } from '../core/quote.ts';
import { textsOf } from '../core/texts.ts';
import { toNumbers, typed, type Tensor } from '../core/tensor.ts';

const firstTexts = (all: readonly string[]): string => `${all.slice(0, 8).map(quoteJs).join(', ')}${all.length > 8 ? ', …' : ''}`;
/** `y  float32 [1, 1000]  min … max … mean … argmax …`, and the first values. */
export function summary(name: string, x: Tensor): string {
  const head = `${name}  ${DTYPES[x.dtype].ort} [${x.dims.join(', ')}]`;
  if (x.dtype === 'text') return `${head}\n  ${firstTexts(textsOf(x))}\n`;
  const values = toNumbers(x);
  if (values.length === 0) return `${head}  empty\n`;
  let [lo, hi, sum, at] = [Infinity, -Infinity, 0, 0];
  let nan = 0;
  values.forEach((v, i) => {
    if (Number.isNaN(v)) nan++;
    if (v < lo) lo = v;
    if (v > hi) [hi, at] = [v, i];
    sum += v;
  });
  const raw = x.dtype === 'i64' || x.dtype === 'u64' ? typed(x) : values;
  const first = Array.from(raw.slice(0, 8), showNumber).join(', ');
  const stats = `min ${showNumber(lo)}  max ${showNumber(hi)}  mean ${showNumber(sum / values.length)}  argmax ${at}`;
  return `${head}  ${stats}${nan > 0 ? `  NaN ${nan} times` : ''}\n  ${first}${values.length > 8 ? ', …' : ''}\n`;
}
