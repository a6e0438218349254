import { decodeModel } from './decode.ts';

/**
 * Whether a file has operators of floats with quantized weights, such as those of dynamic range quantization: LiteRT rounds the floats to 8 bits on
 * the way, which Sinter does not.
 */
export function mixesTypes(bytes: Uint8Array): boolean {
  return decodeModel(bytes, '').subgraphs.some(g =>
    g.operators.some(o => {
      const [first, ...others] = o.inputs.flatMap(i => g.tensors[i] ?? []);
      return first?.type === 'FLOAT32' && others.some(t => /^U?INT[48]$/.test(t.type) && t.quantization !== undefined);
    }),
  );
}
