import { fail, must } from '../core/diagnostic.ts';
import { dimHi } from '../core/dim.ts';
import { bytesOf } from '../core/dtype.ts';
import { elements } from '../core/shape.ts';
import { typed } from '../core/tensor.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { observer, type Observation } from './observe.ts';
import { eachSample, sampleDigest, type Engine, type QuantizeProgress, type Samples } from './samples.ts';

/** Values watched at a time: their memory at the largest sizes, and their number. */
const CHUNK = { bytes: 256e6, values: 400 };

/** What calibration data told of values. */
export interface Observed {
  readonly values: ReadonlyMap<Value, Observation>;
  readonly samples: number;
  readonly sha256: string;
}
/**
 * Runs a graph on all samples with values inside it as outputs, and watches those. E501, E205: the samples; E502: a value that is not finite.
 * `instead`: what is watched in the place of a value.
 */
export async function observeValues(
  g: Graph,
  names: ReadonlyMap<Value, string>,
  wanted: readonly Value[],
  samples: Samples,
  engine: Engine,
  onProgress: (p: QuantizeProgress) => void,
  instead: (v: Value) => Value = v => v,
): Promise<Observed> {
  const values = new Map<Value, Observation>();
  const digest = sampleDigest();
  let count = 0;
  // Without values to watch the samples are read all the same: they are checked, counted and digested.
  const parts = wanted.length === 0 ? [[]] : chunks(wanted);
  for (const [at, part] of parts.entries()) {
    const watched = part.map(v => ({ value: v, shown: instead(v), name: names.get(v) ?? '', o: observer() }));
    const outputs = watched.flatMap((w, i) => (w.shown.def.k === 'input' ? [] : [{ name: `tap ${i}`, value: w.shown }]));
    const run = outputs.length === 0 ? undefined : await engine({ ...g, outputs });
    count = await eachSample(g, samples, async (s, n) => {
      if (at === 0) await digest.add(s);
      const got = run?.(s);
      watched.forEach((w, i) => {
        const t = must(w.shown.def.k === 'input' ? s.get(w.shown.def.name) : got?.get(`tap ${i}`));
        if (!w.o.add(typed(t) as Float32Array))
          fail('E502', { why: `'${w.name}' is not finite for sample ${n + 1} of ${samples.name}: the model overflows on it` });
      });
      const of = samples.count === undefined ? undefined : samples.count * parts.length;
      onProgress({ step: 'calibrate', done: n + 1 + at * (samples.count ?? 0), of });
    });
    for (const w of watched) values.set(w.value, w.o.result());
  }
  return { values, samples: count, sha256: await digest.result() };
}
function chunks(all: readonly Value[]): Value[][] {
  const parts: Value[][] = [];
  let bytes = Infinity;
  for (const v of all) {
    const size = dimHi(elements(v.type)) * bytesOf(v.type.dtype);
    const last = parts.at(-1);
    if (!last || bytes + size > CHUNK.bytes || last.length >= CHUNK.values) {
      parts.push([v]);
      bytes = size;
    } else {
      last.push(v);
      bytes += size;
    }
  }
  return parts;
}
