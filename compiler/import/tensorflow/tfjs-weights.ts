import { textsOf } from '../../core/texts.ts';
import type { ModelFile } from '../importer.ts';
import type { Json } from '../shared/json.ts';
import { tfjsWeights } from '../shared/tfjs-weights.ts';
import type { TensorProto } from './records.ts';
import { COMPLEX64, STRING, tensorProto, typeOfWord } from './tensor.ts';

/** The value of a constant by its name; undefined: it is none of the weights. */
export type Weights = (name: string) => TensorProto | undefined;

/** The weights of a graph model as the constants that they are, read where one is asked for. Errors: those of `tfjsWeights`. */
export function openWeights(file: ModelFile, manifest: Json | undefined): Weights {
  const byName = new Map(manifest === undefined ? [] : tfjsWeights(manifest, file).map(w => [w.name, w] as const));
  return name => {
    const w = byName.get(name);
    if (!w) return undefined;
    if (w.type === 'complex64') return tensorProto(COMPLEX64, w.dims, w.bytes());
    const t = w.tensor();
    if (w.type === 'string') return tensorProto(STRING, w.dims, new Uint8Array(0), textsOf(t));
    return tensorProto(typeOfWord(w.type.replace('float32', 'float').replace('float16', 'half')), w.dims, t.bytes);
  };
}
