import { describe, expect, it } from '@jest/globals';
import { logScale } from '../../bench/report/plot.ts';
import { reportHtml } from '../../bench/report/html.ts';
import type { BenchResult, CaseResult, Runtime, Run, Spread } from '../../bench/engine/result.ts';

const spread = (x: number): Spread => ({ min: 0.9 * x, median: x, lo: 0.95 * x, hi: 1.05 * x, count: 10 });
const bytes = (n: number): { disk: number; gzip: number; brotli: number } => ({ disk: 3 * n, gzip: n, brotli: 0.9 * n });
const run = (label: string, relative: number | null): Run => ({
  label,
  inputs: { x: [1, 8] },
  times: [
    { name: 'sinter', calls: 3, ...spread(1.25) },
    { name: 'onnxruntime-web', calls: 1, ...spread(5) },
  ],
  calibration: spread(0.5),
  ratios: [
    { to: 'onnxruntime-web', median: 4, lo: 3.5, hi: 4.5, rounds: 10 },
    { to: 'calibration', median: 0.4, lo: 0.39, hi: 0.41, rounds: 10 },
  ],
  differences: [{ to: 'onnxruntime-web', outputs: [{ name: 'y', abs: relative, relative }] }],
  failures: [],
});
const runtimes: Runtime[] = [
  {
    k: 'ran',
    name: 'sinter',
    version: '0.1.0',
    coldStart: spread(7),
    memory: 5e6,
    size: { code: bytes(6000), weights: bytes(0) },
  },
  {
    k: 'ran',
    name: 'onnxruntime-web',
    version: '1.30.0',
    coldStart: spread(600),
    size: { code: bytes(4e6), weights: bytes(9e5) },
  },
  { k: 'missing', name: 'onnxruntime-node', how: 'npm install onnxruntime-node' },
  { k: 'failed', name: 'xgboost-python', message: 'it ended with <SIGSEGV>' },
];
const done = (name: string, relative: number | null = 1e-7): CaseResult => ({
  name,
  doc: 'a model',
  group: 'Networks',
  source: `${name}.onnx`,
  target: 'wasm-simd',
  outcome: {
    k: 'done',
    profile: 'wasm-simd',
    arena: 1000,
    runtimes,
    runs: [run('1x8', relative)],
    operatorTimes: [
      {
        label: '1x8',
        peak: { gflops: 30, gbytes: 12 },
        steps: 1.2,
        whole: 1.25,
        rows: [
          {
            what: 'Conv + Relu',
            kernel: 'k0',
            nodes: ['/a/<b>'],
            calls: 2,
            ms: 1,
            share: 0.8,
            bytes: 1e6,
            flops: 2e7,
            gflops: 20,
            gbytes: 1,
            efficiency: 0.67,
            bound: 'arithmetic',
          },
          {
            what: 'Transpose',
            kernel: 'k1',
            nodes: [],
            calls: 1,
            ms: 0.2,
            share: 0.16,
            bytes: 2e6,
            gbytes: 10,
            efficiency: 0.83,
            bound: 'memory',
          },
        ],
      },
    ],
  },
});
const result = (cases: readonly CaseResult[]): BenchResult => ({
  version: 2,
  sinter: '0.1.0',
  date: '2026-11-29',
  command: 'sinter bench "a b" --html x.html',
  machine: { cpu: 'A <CPU>', cores: 2, memory: 8e9, system: 'linux x64', engine: 'Node v20' },
  settings: { rounds: 5, processes: 2, threads: 1, seed: 1 },
  cases,
});

describe('the report', () => {
  const page = reportHtml(
    result([
      done('net <script>alert(1)</script>'),
      done('same', 0),
      { name: 'broken', source: 'b.onnx', target: 'c', outcome: { k: 'failed', message: 'E202: <no> model' } },
    ]),
  );
  it('shows ratios with their ranges, sizes, versions, spreads, the command and the machine', () => {
    for (const text of [
      '4.0×',
      '3.50–4.50',
      '6.00 KB',
      'onnxruntime-web 1.30.0',
      '±5 %',
      'sinter bench &quot;a b&quot; --html x.html',
      'A &lt;CPU&gt;',
      '1.25 ms',
      '7 ms',
      '20 GFLOP/s, 67 % of the limit',
    ])
      expect(page).toContain(text);
    // Both models have the ratio 4.
    expect(page).toContain(
      '<strong>4.0×</strong><span>the speed of onnxruntime-web: geometric mean of 2 runs, ahead in 2</span>',
    );
    expect(page).toContain('same bits');
  });
  it('tells what failed or is missing', () => {
    expect(page).toContain('Sinter failed: E202: &lt;no&gt; model');
    expect(page).toContain('onnxruntime-node is not installed: npm install onnxruntime-node');
    expect(page).toContain('xgboost-python failed: it ended with &lt;SIGSEGV&gt;');
  });
  it('takes no text of a model for HTML, loads nothing and has no holes', () => {
    expect(page).toContain('net &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|https?:|\bsrc=|\bhref=/);
    expect(page).not.toMatch(/NaN|undefined|\[object|Infinity/);
    const open = (tag: string): number => page.match(new RegExp(`<${tag}[ >]`, 'g'))?.length ?? 0;
    for (const tag of ['div', 'table', 'details', 'span', 'td', 'b', 'small', 'main'])
      expect([tag, page.match(new RegExp(`</${tag}>`, 'g'))?.length]).toEqual([tag, open(tag)]);
  });
  it('of answers that are wholly wrong says so, and of nothing is a page too', () => {
    expect(reportHtml(result([done('wrong', null)]))).toContain('<span class="bad">wholly</span>');
    const empty = reportHtml(result([]));
    expect(empty).toContain('0 models compiled');
    expect(empty).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('a scale of logarithms', () => {
  it('has its values inside, in order, and ticks at round numbers', () => {
    const s = logScale([0.5, 1, 30]);
    const at = [0.5, 1, 30].map(x => s.at(x));
    expect(at).toEqual([...at].sort((a, b) => a - b));
    expect(Math.min(...at)).toBeGreaterThan(0);
    expect(Math.max(...at)).toBeLessThan(100);
    expect(s.ticks).toContain(1);
    expect(s.ticks.length).toBeLessThanOrEqual(8);
    expect(s.at(0)).toBe(0);
    expect(logScale([]).ticks.length).toBeGreaterThan(0);
    expect(logScale([2, 2]).at(2)).toBeGreaterThan(0);
  });
});
