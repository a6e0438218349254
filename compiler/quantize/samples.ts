import { utf8, sha256 } from '../core/bytes.ts';
import { CompileError, fail } from '../core/diagnostic.ts';
import { isFloat } from '../core/dtype.ts';
import { toNumbers, type Tensor } from '../core/tensor.ts';
import { checkInputs, evaluate } from '../graph/evaluate.ts';
import type { Graph } from '../graph/graph.ts';

/** Inputs of one run, by name. */
export type Sample = ReadonlyMap<string, Tensor>;
/** Calibration data: may be read several times, and are never held all at once. */
export interface Samples {
  /** What they are, for messages and for the plan. */
  readonly name: string;
  /** How many there are, where that is known. */
  readonly count?: number;
  /** What they were made from, where they are random. */
  readonly seed?: number;
  read(): Iterable<Sample> | AsyncIterable<Sample>;
}
/** Of fewer samples none is left out. */
const ENOUGH = 8;
/**
 * Samples to fit weights to, and others to choose by: every fourth. What was fitted to samples looks better on these than on any others. Where
 * there are few, all of them serve for both.
 */
export function parted(s: Samples, count: number): { readonly fit: Samples; readonly choose: Samples } {
  if (count < ENOUGH) return { fit: s, choose: s };
  const those = (wanted: (n: number) => boolean): Samples => ({
    ...s,
    count: Array.from({ length: count }, (_, n) => n).filter(wanted).length,
    async *read() {
      let n = 0;
      for await (const sample of s.read()) if (wanted(n++)) yield sample;
    },
  });
  return { fit: those(n => n % 4 !== 3), choose: those(n => n % 4 === 3) };
}
/** Makes a graph ready to run. */
export type Engine = (g: Graph) => Promise<(inputs: Sample) => ReadonlyMap<string, Tensor>>;
/** The evaluator as an engine: slow, and at hand everywhere. */
export const evaluator: Engine = g => Promise.resolve(inputs => evaluate(g, inputs));

/** What is told while work goes on. */
export interface QuantizeProgress {
  readonly step: 'calibrate' | 'round' | 'correct' | 'compare' | 'search';
  readonly done: number;
  /** Undefined where it is not known. */
  readonly of: number | undefined;
}

/**
 * Runs over all samples, checked against the inputs of the graph. E501 where one does not fit or is not finite, E205 where there are none.
 * Gives how many there were.
 */
export async function eachSample(
  g: Graph,
  samples: Samples,
  visit: (s: Sample, at: number) => void | Promise<void>,
): Promise<number> {
  let n = 0;
  for await (const s of samples.read()) {
    checkSample(g, s, `sample ${n + 1} of ${samples.name}`);
    await visit(s, n++);
  }
  return n === 0 ? fail('E205', { file: samples.name, why: 'it holds no samples' }) : n;
}
function checkSample(g: Graph, s: Sample, where: string): void {
  try {
    checkInputs(g, s);
  } catch (e) {
    if (e instanceof CompileError && e.code === 'E501')
      fail('E501', { input: e.holes['input'] ?? '', why: `${e.holes['why'] ?? ''} (${where})` }, e.loc);
    throw e;
  }
  for (const [name, t] of s)
    if (isFloat(t.dtype) && toNumbers(t).some(v => !Number.isFinite(v)))
      fail('E501', { input: `'${name}'`, why: `holds NaN or infinity (${where})` });
}
/** The digest of samples that come one after the other. */
export function sampleDigest(): { add(s: Sample): Promise<void>; result(): Promise<string> } {
  const parts: string[] = [];
  return {
    add: async s => {
      for (const [name, t] of [...s].sort(([a], [b]) => (a < b ? -1 : 1)))
        parts.push(`${name} ${t.dtype} ${t.dims.join('x')} ${await sha256(t.bytes)}`);
    },
    result: () => sha256(utf8(parts.join('\n'))),
  };
}
