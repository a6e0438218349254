import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { BenchResult, CaseResult } from '../../bench/index.ts';
import { figuresOf, figuresText, type Figures } from '../../bench/results/figures.ts';
import { readmePart, resultsPart, withPart } from '../../bench/results/markdown.ts';
import { readmeTensorflow, tensorflowPart } from '../../bench/results/tensorflow.ts';

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const kept = read('bench/suites/results.json');

it.each([
  ['README.md', readmePart],
  ['bench/RESULTS.md', resultsPart],
])('%s shows the figures of bench/suites/results.json', (file, part) => {
  const text = read(file);
  expect(withPart(text, 'networks', part(JSON.parse(kept) as Figures))).toBe(text);
});

it.each([
  ['README.md', readmeTensorflow],
  ['bench/RESULTS.md', tensorflowPart],
])('%s shows the figures of bench/suites/tensorflow.json', (file, part) => {
  const text = read(file);
  expect(withPart(text, 'tensorflow', part(JSON.parse(read('bench/suites/tensorflow.json')) as Figures))).toBe(text);
});

describe('figures of a result', () => {
  const spread = (x: number): { min: number; median: number; lo: number; hi: number; count: number } => ({
    min: x,
    median: x,
    lo: x,
    hi: x,
    count: 3,
  });
  const done: CaseResult = {
    name: 'minilm',
    source: 'minilm.onnx',
    target: 'wasm-simd',
    outcome: {
      k: 'done',
      profile: 'wasm-simd',
      arena: 1,
      runtimes: [
        { k: 'ran', name: 'sinter', version: '0.1.0', size: { code: { disk: 9000 }, weights: { disk: 5 } } },
        { k: 'ran', name: 'onnxruntime-web', version: '1.30.0', size: { code: { disk: 14e6 }, weights: { disk: 5 } } },
        { k: 'failed', name: 'onnxruntime-node', message: 'it stops' },
      ],
      runs: [
        {
          label: '1x128',
          inputs: { x: [1, 128] },
          times: [
            { name: 'sinter', calls: 1, ...spread(1.23456) },
            { name: 'onnxruntime-web', calls: 1, ...spread(2.5) },
          ],
          calibration: spread(1),
          ratios: [
            { to: 'onnxruntime-web', median: 2.0251, lo: 1.9, hi: 2.2, rounds: 3 },
            { to: 'calibration', median: 0.8, lo: 0.8, hi: 0.8, rounds: 3 },
          ],
          differences: [{ to: 'onnxruntime-web', outputs: [{ name: 'y', abs: 1e-6, relative: 3.21e-7 }] }],
          failures: [],
        },
      ],
    },
  };
  const result: BenchResult = {
    version: 2,
    sinter: '0.1.0',
    date: '2026-11-29',
    command: 'npm run bench -- results',
    machine: { cpu: 'CPU', cores: 2, memory: 1, system: 'linux x64', engine: 'Node v20.1.0 (V8 11)' },
    settings: { rounds: 3, processes: 1, threads: 1, seed: 1 },
    cases: [done, { name: 'broken', source: 'b.onnx', target: 'wasm-simd', outcome: { k: 'failed', message: 'no' } }],
  };
  const figures = figuresOf(result, 'abc1234', 'On a full moon.');
  it('are those of what ran, in few digits', () => {
    expect(figures.rows).toEqual([
      {
        model: 'minilm',
        target: 'wasm-simd',
        input: '1x128',
        code: 9000,
        ms: 1.235,
        peers: [{ name: 'onnxruntime-web', ms: 2.5, median: 2.03, lo: 1.9, hi: 2.2, differs: 3.2e-7 }],
      },
    ]);
    expect(figures.peers).toEqual([{ name: 'onnxruntime-web', version: '1.30.0', code: 14e6 }]);
    expect(JSON.parse(figuresText(figures))).toEqual(figures);
  });
  it('become tables', () => {
    expect(readmePart(figures)).toContain('| all-MiniLM-L6-v2, 128 tokens ');
    expect(readmePart(figures)).toContain('The code to download is 14 MB for onnxruntime-web and at most 9 KB');
    expect(resultsPart(figures)).toContain('## 2026-11-29, Sinter 0.1.0 at abc1234: networks in WebAssembly');
    expect(resultsPart(figures)).toContain('\nOn a full moon.\n');
    expect(resultsPart(figures)).toMatch(/\| minilm \| 1x128 +\| +1\.2\d \| +2\.5 \| +2\.03 \(1\.90–2\.20\) \| +3e-7 \|\n/);
    expect(() => withPart('text', 'networks', '')).toThrow("there is no part 'networks'");
  });
});
