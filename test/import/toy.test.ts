// The recipe "A framework" of compiler/README.md, followed for a format that fits on a line.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { drawHtml } from '../../compiler/cli/draw.ts';
import { compile } from '../../compiler/compile.ts';
import { must, type Loc } from '../../compiler/core/diagnostic.ts';
import { fromTyped } from '../../compiler/core/tensor.ts';
import { input, type Value } from '../../compiler/graph/graph.ts';
import { compile as compilePath } from '../../compiler/host/compile.ts';
import type { ImportedGraph, Importer, ImportOptions, ModelFile } from '../../compiler/import/importer.ts';
import { collecting, importBuilder, importSession, type ImportBuilder } from '../../compiler/import/shared/builder.ts';
import { textOf } from '../../compiler/import/shared/cursor.ts';
import { inputShapes } from '../../compiler/import/shared/dims.ts';
import { openByGraph } from '../../compiler/import/shared/inspect.ts';
import { failUnsupported, importedAt } from '../../compiler/import/shared/unsupported.ts';
import { reshape } from '../../compiler/import/shared/views.ts';
import { inspect } from '../../compiler/inspect.ts';
import { Add, Mul, Relu } from '../../compiler/ops/elementwise/index.ts';
import { Softmax } from '../../compiler/ops/reduce/norm.ts';
import { loadBundle } from '../models/bundle.ts';

/** A toy is `TOY`, the sizes of its input, and an operator a line, of which some take numbers or a file of float32. */
type Layer = (c: ImportBuilder, x: Value, words: readonly string[], file: ModelFile) => Value;
const vector = (c: ImportBuilder, words: readonly string[]): Value => c.literal('f32', words.map(Number));
const LAYERS = new Map<string, Layer>([
  ['scale', (c, x, words) => c.apply1(Mul, [x, vector(c, words)])],
  ['bias', (c, x, words) => c.apply1(Add, [x, vector(c, words)])],
  [
    'bias-file',
    (c, x, [path = ''], { beside }) => {
      const bytes = beside ? beside(path, 0, undefined) : c.unsupported('files beside the model');
      return c.apply1(Add, [x, c.constant(fromTyped('f32', [bytes.length / 4], new Float32Array(bytes.slice().buffer)))]);
    },
  ],
  ['relu', (c, x) => c.apply1(Relu, [x])],
  ['softmax', (c, x, [axis = '1']) => c.apply1(Softmax, [x], { axis: Number(axis) })],
  ['column', (c, x) => reshape(c, x, [...x.type.shape, 1])],
]);
const toy: Importer<'toy'> = {
  name: 'toy',
  title: 'Toy',
  accepts: 'toys',
  mainFile: 'model.toy',
  takes: [],
  sniff: b => (textOf(b.subarray(0, 4)) === 'TOY ' ? 'certain' : 'no'),
  open: file => {
    const [head = '', ...lines] = textOf(file.bytes).trim().split('\n');
    return openByGraph(
      'Toy',
      () => ({ layers: lines.length }),
      o => importToy(file, head.split(' ').slice(1), lines, o),
    );
  },
};
function importToy(file: ModelFile, sizes: readonly string[], lines: readonly string[], o: ImportOptions): ImportedGraph {
  const s = importSession(file.name, lines.length);
  const shape = sizes.map(d => (/^\d+$/.test(d) ? Number(d) : d));
  const shapes = inputShapes([{ name: 'x', shape }], { file: file.name, dims: o.dims ?? {} }, w => s.warnings.push(w));
  const x = input('x', { dtype: 'f32', shape: must(shapes.get('x')) });
  const at: { loc: Loc } = { loc: { k: 'none' } };
  const c = importBuilder(s, at, []);
  let y = x;
  lines.forEach((line, i) => {
    const [op = '', ...words] = line.split(' ');
    at.loc = { k: 'part', file: file.name, kind: 'layer', name: `layer ${i}`, op };
    const layer = LAYERS.get(op);
    const made = collecting(s, () => importedAt(at.loc, () => (layer ?? c.unsupported('no such layer'))(c, y, words, file)));
    if (made) y = made;
  });
  if (s.unsupported.length > 0) failUnsupported(file.name, [], s.unsupported);
  const graph = { name: o.name ?? 'toy', inputs: [x], outputs: [{ name: 'y', value: y }], symbolDefinitions: [] };
  return { graph, warnings: s.warnings, histogram: {} };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const importers = [toy];
const model = bytes('TOY batch 3\nscale 2 3 4\nbias 1 -7 0\nrelu\n');
async function run(files: ReadonlyMap<string, Uint8Array>, data: readonly number[], dims: readonly number[]): Promise<number[]> {
  const m = await loadBundle(files);
  const { y } = m.run({ x: { data: Float32Array.from(data), dims } });
  return [...(must(y).data as Float32Array)];
}
const root = mkdtempSync(join(tmpdir(), 'sinter-toy-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a framework that a program brings along', () => {
  it('is compiled to WebAssembly and run', async () => {
    const { files, report } = await compile({ model, importers });
    expect(report.warnings.map(w => w.code)).toEqual(['batch']);
    expect(await run(files, [1, 2, 3, -1, 3, 0], [2, 3])).toEqual([3, 0, 12, 0, 2, 0]);
  });
  it('may be a folder, whose other files are read where the model asks', async () => {
    const folder = join(root, 'saved');
    mkdirSync(folder);
    writeFileSync(join(folder, 'model.toy'), 'TOY 2\nbias-file weights.bin\n');
    writeFileSync(join(folder, 'weights.bin'), new Uint8Array(Float32Array.from([10, 20]).buffer));
    const { files } = await compilePath({ model: folder, importers });
    expect(await run(files, [1, 2], [2])).toEqual([11, 22]);
    await expect(compilePath({ model: root, importers })).rejects.toThrow(
      /E205: cannot read .*: it is a folder without model\.toy, model\.onnx, model\.tflite, saved_model\.pb, model\.json, xgboost-model; give the model's file/,
    );
  });
  it('says all that is not supported at once, with its places', async () => {
    const wrong = bytes('TOY 2\nfly\nrelu\nbias-file w.bin\n');
    await expect(compile({ model: wrong, file: 'a.toy', importers })).rejects.toThrow(
      'a.toy: E103: the model uses 2 operators that Sinter does not support:\n' +
        "  fly: no such layer; first 'layer 0'\n  bias-file: files beside the model; first 'layer 2'",
    );
    await expect(compile({ model: bytes('TOY 2\nfly\n'), file: 'a.toy', importers })).rejects.toThrow(
      'a.toy#layer 0 (fly): E101: operator fly is not supported: no such layer',
    );
    await expect(compile({ model: bytes('TOY 2\nsoftmax 3\n'), file: 'a.toy', importers })).rejects.toThrow(
      /^a\.toy#layer 0 \(softmax\): E102: Softmax: /,
    );
  });
  it('takes the options that it says it takes', async () => {
    await expect(compile({ model, importers, outputs: ['leaf'] })).rejects.toThrow(
      'E403: option outputs: only models of TensorFlow and XGBoost and LightGBM have outputs to choose from',
    );
    await expect(compile({ model })).rejects.toThrow(/E20[23]/);
  });
  it('is inspected and drawn', async () => {
    const x = inspect({ model, importers, file: 'a.toy' });
    expect(x).toMatchObject({
      format: 'toy',
      title: 'Toy',
      facts: { layers: 3 },
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', 3] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['batch', 3] }],
      free: [{ name: 'batch', places: ["axis 0 of 'x'"] }],
      operators: { Mul: 1, Add: 1, Relu: 1 },
      parameters: { tensors: 2, elements: 6, bytes: 24 },
      problem: undefined,
    });
    const page = await drawHtml(x);
    for (const op of ['Mul', 'Add', 'Relu']) expect(page).toContain(`>${op}<`);
    expect(inspect({ model: bytes('TOY 2\nfly\n'), importers }).problem?.code).toBe('E101');
  });
});
