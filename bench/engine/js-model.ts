import { DTYPES, type DType, type TypedArray } from '../../compiler/core/dtype.ts';
import { fromTyped, typed } from '../../compiler/core/tensor.ts';
import type { Feed } from '../../compiler/run/feeds.ts';
import type { Runner } from './runner.ts';
import { timedOver } from './turns.ts';

interface JsTensor {
  readonly data: TypedArray;
  readonly dims: readonly number[];
  readonly type: string;
}
/** What `load()` of a bundle's index.js gives. */
export interface JsModel {
  readonly profile: string;
  run(inputs: Readonly<Record<string, JsTensor>>): Readonly<Record<string, JsTensor>>;
}
const record = (feed: Feed): Record<string, JsTensor> =>
  Object.fromEntries([...feed].map(([name, t]) => [name, { data: typed(t), dims: t.dims, type: DTYPES[t.dtype].ort }]));

/** A loaded bundle; `types` are those of its outputs. */
export const jsRunner = (model: JsModel, types: ReadonlyMap<string, DType>): Runner & { readonly profile: string } => ({
  profile: model.profile,
  turn: feeds =>
    timedOver(
      feeds.map(f => {
        const inputs = record(f);
        return () => model.run(inputs);
      }),
    ),
  answer: feed => {
    const out = Object.entries(model.run(record(feed)));
    return Promise.resolve(new Map(out.map(([name, t]) => [name, fromTyped(types.get(name) ?? 'f32', t.dims, t.data)])));
  },
  close: () => Promise.resolve(),
});
