import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { must } from '../compiler/core/diagnostic.ts';
import { toNumbers, type Tensor } from '../compiler/core/tensor.ts';
import { decodeModel, dtypeOf } from '../compiler/import/onnx/decode.ts';
import { makeInputs } from '../fixtures/inputs.ts';
import { modelFile, needs } from './needs.ts';
import { REAL_MODELS, locate } from '../fixtures/models.ts';

describe('the table of real models', () => {
  it('finds every model that npm installs', () => {
    expect(REAL_MODELS.filter(m => m.source.k === 'npm' && locate(m.name) === undefined).map(m => m.name)).toEqual([]);
  });
  for (const m of REAL_MODELS) {
    needs(modelFile(m.name)).it(`${m.name} has the inputs that the table says`, () => {
      const { graph } = decodeModel(readFileSync(must(locate(m.name))));
      const weights = new Set(graph.initializer.map(t => t.name));
      const inputs = graph.input.filter(v => !weights.has(v.name));
      expect(inputs.map(v => [v.name, dtypeOf(v.type?.tensorType?.elemType ?? 0)])).toEqual(m.inputs.map(i => [i.name, i.dtype]));
      inputs.forEach((v, i) => {
        const sizes = v.type?.tensorType?.shape?.dim.map(d => d.dimValue);
        const shape = m.inputs[i]?.shape ?? [];
        expect(sizes?.length).toBe(shape.length);
        sizes?.forEach((size, axis) => {
          if (size !== undefined && size > 0) expect([v.name, axis, shape[axis]]).toEqual([v.name, axis, size]);
        });
      });
      if (m.state)
        for (const [to, from] of Object.entries(m.state.from)) {
          expect(inputs.map(v => v.name)).toContain(to);
          expect(graph.output.map(v => v.name)).toContain(from);
        }
    });
    it(`${m.name} is tried within the sizes that it declares, on the same data every time`, () => {
      for (const shapes of m.runs) {
        expect(shapes.length).toBe(m.inputs.length);
        shapes.forEach((dims, i) => {
          const declared = m.inputs[i]?.shape ?? [];
          expect(dims.length).toBe(declared.length);
          dims.forEach((d, axis) => {
            const size = declared[axis] ?? NaN;
            const [lo, hi] = typeof size === 'number' ? [size, size] : size;
            expect(d >= lo && d <= hi).toBe(true);
          });
        });
      }
      const [first = []] = m.runs;
      const made = makeInputs(m, first);
      expect(digest(makeInputs(m, first))).toEqual(digest(made));
      const { isFinite } = Number;
      for (const t of made.values()) expect(toNumbers(t).every(v => isFinite(v))).toBe(true);
      const varied = m.inputs.filter(i => !['constant', 'mask'].includes(i.fill.k));
      for (const i of varied)
        expect(new Set(toNumbers(made.get(i.name) ?? made.values().next().value ?? fail())).size).toBeGreaterThan(4);
    });
  }
});
const digest = (inputs: ReadonlyMap<string, Tensor>): string[] =>
  [...inputs].map(([name, t]) => `${name} ${createHash('sha256').update(t.bytes).digest('hex')}`);
function fail(): never {
  throw new Error('no input');
}
