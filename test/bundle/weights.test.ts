/** What a bundle for several engines stores of weights: no more than the model has, and once. */
import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { must } from '../../compiler/core/diagnostic.ts';
import { compile, evaluate } from '../../compiler/index.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';
import { runsHere } from '../../fixtures/engine.ts';
import { tinyNetworks } from '../../fixtures/networks/network.ts';
import { networkTflite } from '../../fixtures/networks/tflite.ts';
import { importBundle, put } from './hand-made.ts';

const folders: string[] = [];
afterAll(() => folders.forEach(d => rmSync(d, { recursive: true, force: true })));

describe('modules of one bundle', () => {
  it.each(tinyNetworks().map(n => [n.name, n] as const))(
    'share the weights of a quantized network: %s',
    async (_, n) => {
      const source = networkTflite(n, 'int8');
      const { files } = await compile({ model: source, file: 'n.tflite', target: 'wasm-auto', embedBelow: 0 });
      const names = [...files.keys()].filter(f => f.endsWith('.weights'));
      expect(names).toEqual(['model.weights']);
      expect(must(files.get('model.weights')).length).toBeLessThan(1.1 * source.length);
      const dir = put(files);
      folders.push(dir);
      const index = await importBundle(dir);
      const dims = [1, ...n.input];
      const data = Int8Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => ((i * 37) % 255) - 128);
      const want = evaluate({ model: source, file: 'n.tflite', inputs: { x: { dims, data } } });
      const ran: string[] = [];
      for (const profile of resolveTarget('wasm-auto').profiles.filter(runsHere)) {
        const wasm = files.get(`model.${profile.name}.wasm`);
        if (!wasm) continue;
        const m = await index.load({ wasm });
        expect([m.profile, ...must(m.run({ x: data })['y']).data]).toEqual([
          profile.name,
          ...(must(want['y']).data as Int8Array),
        ]);
        ran.push(m.profile);
      }
      expect(ran).toEqual(expect.arrayContaining(['wasm-simd', 'wasm-mvp']));
    },
    120_000,
  );
});
