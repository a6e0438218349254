/** Forests of scikit-learn on the command line: labels as text, and maps for scores, against onnxruntime. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { runCommand } from '../../compiler/cli/command.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { filesOf } from '../trees/cases.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-forest-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const files = filesOf('onnx.tar.gz');

it('are verified with labels and maps', async () => {
  const [model, out] = [join(root, 'forest.onnx'), join(root, 'forest')];
  writeFileSync(model, must(files.get('sklearn_forest_text.onnx')));
  let [text, err] = ['', ''];
  const code = await runCommand(['compile', model, '--out', out, '--verify'], {
    out: t => void (text += t),
    err: t => void (err += t),
    live: false,
  });
  expect(code).toBe(0);
  expect(err).toMatch(/dimension X_0 is free and taken for a batch of 1 to 10000/);
  expect(text).toMatch(/compared with onnxruntime-node [\d.]+ on 2 samples .*: the outputs agree\n/);
  expect(text).toMatch(/output_label +0\.00e\+0 +0\.00e\+0 {2}ok\n/);
  expect(text).toMatch(/output_probability +\S+ +\S+ {2}ok, arg-max agrees (\d+) of \1 times\n/);
  expect(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))).toMatchObject({
    labels: ['ant', 'bee', 'cat'],
    outputs: [{ name: 'output_label', type: 'string' }, { name: 'output_probability' }],
  });
});
