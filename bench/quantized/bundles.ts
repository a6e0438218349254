import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { gzipSync } from 'node:zlib';
import { must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { compile, type NodeCompileOptions } from '../../compiler/host/compile.ts';
import { openBundle, type Bundle } from '../../compiler/run/bundle.ts';

/** A bundle that is loaded, and what it takes. */
export interface Opened {
  readonly bundle: Bundle;
  /** Of all files but the plan, which is for people, and of these compressed one by one. */
  readonly bytes: number;
  readonly gzip: number;
  /** Milliseconds from the files to a model that runs. */
  readonly load: number;
}
export async function opened(o: NodeCompileOptions): Promise<Opened> {
  const { files } = await compile(o);
  const dir = mkdtempSync(join(tmpdir(), 'sinter-quantized-'));
  try {
    let [bytes, gzip] = [0, 0];
    for (const [name, data] of files) {
      writeFileSync(join(dir, name), data);
      if (name === 'quantization.json') continue;
      bytes += data.length;
      gzip += gzipSync(data, { level: 9 }).length;
    }
    const start = performance.now();
    const bundle = await openBundle(dir);
    return { bundle, bytes, gzip, load: performance.now() - start };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
/** Milliseconds of calls on one sample, in turns, for some seconds. */
export function inTurns(
  all: readonly Opened[],
  inputs: ReadonlyMap<string, Tensor>,
  seconds: number,
): readonly (readonly number[])[] {
  const times = all.map((): number[] => []);
  for (const { bundle } of all) bundle.run(inputs);
  for (const end = performance.now() + 1000 * seconds; performance.now() < end;)
    all.forEach(({ bundle }, i) => {
      const start = performance.now();
      bundle.run(inputs);
      times[i]?.push(performance.now() - start);
    });
  return times;
}
const median = (v: readonly number[]): number => [...v].sort((a, b) => a - b)[v.length >> 1] ?? NaN;
/** How many times faster than the first: the median over the rounds. */
export const factors = (times: readonly (readonly number[])[]): number[] =>
  times.map(t => median(t.map((ms, i) => must(times[0]?.[i]) / ms)));
