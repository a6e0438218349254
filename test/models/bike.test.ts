/** The tree example of the README: the command compiles the model and predicts rows of a CSV file as XGBoost does (fixtures/bike). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../compiler/cli/command.ts';
import { readNpy } from '../../compiler/data/npy.ts';
import { toNumbers } from '../../compiler/core/tensor.ts';
import { loadBundle } from './bundle.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-bike-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/bike/${name}`, import.meta.url));
const lines = (name: string): string[] => readFileSync(fixture(name), 'utf8').trim().split('\n');
const wanted = lines('predictions.csv').slice(1).map(Number).map(Math.fround);

describe('bike rentals', () => {
  it('are predicted as XGBoost does, from a CSV file and from objects', async () => {
    let text = '';
    const sinter = (...argv: string[]): Promise<number> =>
      runCommand(argv, { out: t => void (text += t), err: () => undefined, live: false });
    const out = join(root, 'bike');
    expect(await sinter('compile', fixture('model.json'), '--out', out)).toBe(0);
    expect(text).toMatch(/trees +150 of 8964 nodes, 4557 of them leaves, depth 5; 13 features, 13 used\n/);
    expect(await sinter('run', out, '--input', `features=${fixture('rows.csv')}`, '--out', join(root, 'results'))).toBe(0);
    const prediction = readNpy(readFileSync(join(root, 'results', 'prediction.npy')), 'prediction.npy');
    expect([...toNumbers(prediction)]).toEqual(wanted);

    const files = new Map(['index.js', 'model.wasm'].map(f => [f, new Uint8Array(readFileSync(join(out, f)))]));
    const model = await loadBundle(files);
    const [head = '', ...rows] = lines('rows.csv');
    const names = head.split(',');
    // Empty cells are left out.
    const row = (line: string): Record<string, number> =>
      Object.fromEntries(line.split(',').flatMap((v, i) => (v === '' ? [] : [[names[i] ?? '', Number(v)] as const])));
    expect(Array.from(model.run({ features: rows.map(row) })['prediction']?.data ?? [])).toEqual(wanted);
    expect(model.run({ features: row(rows[0] ?? '') })['prediction']?.data[0]).toBe(wanted[0]);
  });
});
