import { describe, expect } from '@jest/globals';
import { AutoTokenizer, env } from '@huggingface/transformers';
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { must } from '../../compiler/core/diagnostic.ts';
import { compile } from '../../compiler/index.ts';
import { dimOptions } from '../../fixtures/dims.ts';
import { locate, minilmDir, realModel } from '../../fixtures/models.ts';
import { modelFile, needs } from '../needs.ts';
import { loadBundle } from './bundle.ts';

const SENTENCES = [
  'A cat sits on the mat.',
  'A kitten is sitting on a rug.',
  'The stock market fell sharply on Monday, and analysts expect that the decline will continue through the rest of the quarter.',
];
const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids'] as const;
interface Tokens {
  readonly data: BigInt64Array;
  readonly dims: readonly number[];
}
const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [dot, p, q] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    dot += x * y;
    p += x * x;
    q += y * y;
  }
  return dot / Math.sqrt(p * q);
};

describe('a sentence transformer, with its own tokenizer', () => {
  const path = locate('minilm');
  const dir = minilmDir();
  needs(modelFile('minilm')).it(
    'embeds sentences of any length as onnxruntime does, near ones near',
    async () => {
      env.allowRemoteModels = false;
      const tokenizer = await AutoTokenizer.from_pretrained(must(dir), { local_files_only: true });
      const bytes = readFileSync(must(path));
      const { files } = await compile({ model: bytes, file: 'minilm.onnx', dims: dimOptions(must(realModel('minilm')), bytes) });
      const ours = await loadBundle(files);
      const session = await ort.InferenceSession.create(must(path), { logSeverityLevel: 3 });
      const embed = async (texts: string[]): Promise<number[][]> => {
        const encoded = tokenizer(texts, { padding: true, truncation: true }) as Record<string, Tokens>;
        const feed = INPUTS.map(name => {
          const t = encoded[name];
          const dims = [...must(encoded['input_ids']).dims];
          return [
            name,
            { data: t ? BigInt64Array.from(t.data) : new BigInt64Array((dims[0] ?? 1) * (dims[1] ?? 1)), dims },
          ] as const;
        });
        const mine = Object.values(ours.run(Object.fromEntries(feed)))[0];
        const theirs = await session.run(Object.fromEntries(feed.map(([k, t]) => [k, new ort.Tensor('int64', t.data, t.dims)])));
        const want = Array.from(must(Object.values(theirs)[0]).data as Float32Array);
        const got = Array.from(must(mine).data, Number);
        expect(got).toHaveLength(want.length);
        got.forEach((x, i) => expect(Math.abs(x - (want[i] ?? NaN))).toBeLessThanOrEqual(1e-5 + 1e-3 * Math.abs(want[i] ?? 0)));
        const width = must(must(mine).dims.at(-1));
        return texts.map((_, r) => got.slice(r * width, (r + 1) * width));
      };
      const together = await embed(SENTENCES);
      const alone = await Promise.all(SENTENCES.map(async s => must((await embed([s]))[0])));
      // Padding changes nothing, and meaning decides.
      together.forEach((v, i) => expect(cosine(v, must(alone[i]))).toBeGreaterThan(0.99999));
      expect(cosine(must(together[0]), must(together[1]))).toBeGreaterThan(cosine(must(together[0]), must(together[2])) + 0.3);
      await session.release();
    },
    180_000,
  );
});
