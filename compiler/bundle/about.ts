import { must } from '../core/diagnostic.ts';
import { rangeOf, showDim, type Dim } from '../core/dim.ts';
import { DTYPES } from '../core/dtype.ts';
import type { TensorType } from '../core/shape.ts';
import { VERSION } from '../core/version.data.ts';
import type { RowsOfFeatures } from '../import/importer.ts';
import type { CompileOptions, ModelChoices, PortReport, Report } from '../options.ts';
import type { Port, Program } from '../program/program.ts';
import type { Profile } from '../target/profile.ts';

/** What a bundle tells of its model besides the program: where it comes from, and how it was compiled. */
export interface ModelInfo {
  readonly target: string;
  readonly source: Report['source'];
  readonly operators: Report['operators'];
  readonly macs: number | undefined;
  readonly trees?: Report['trees'];
  /** Names of the passes that ran, in order. */
  readonly passes: readonly string[];
  readonly options: ModelChoices & Pick<CompileOptions, 'embedBelow' | 'treeStrategy' | 'optimize'>;
  /** What was quantized by a plan; the plan is a file of the bundle. */
  readonly quantization?: { readonly scheme: string; readonly nodes: number; readonly float: number } | undefined;
  readonly labels?: readonly string[] | undefined;
  /** The input that takes rows of features. */
  readonly rows?: RowsOfFeatures | undefined;
}

export const portReport = (p: Port): PortReport => {
  const { dtype, shape } = seenType(p);
  return {
    name: p.name,
    type: DTYPES[dtype].ort,
    shape: shape.map(sizeText),
    ...(p.spelt && { bytes: sizeText(must(p.type.shape.at(-1))) }),
  };
};
const sizeText = (d: Dim): number | string => (typeof d === 'number' ? d : showDim(d));
/** The type that callers see: texts, where a port has what they hold. */
export const seenType = (p: Port): TensorType => (p.spelt ? { dtype: 'text', shape: p.type.shape.slice(0, -1) } : p.type);

/** What the manifest of any bundle says of the model, as JSON: a profile is written as a user would, without its back end. */
export const aboutModel = (b: ModelInfo, program: Program, profiles: readonly Profile[]): object => ({
  sinter: VERSION,
  name: program.name,
  target: b.target,
  source: b.source,
  options: b.options,
  inputs: program.inputs.map(p => ({ ...portReport(p), sizes: freeSizes(p) })),
  outputs: program.outputs.map(portReport),
  symbols: program.symbols,
  ...(program.guards.length > 0 && { guards: program.guards.map(g => [showDim(g.a), showDim(g.b)]) }),
  ...(program.texts && { texts: program.texts }),
  ...(b.quantization && { quantization: b.quantization }),
  ...(b.labels && { labels: b.labels }),
  ...(b.rows && { rows: { input: b.rows.input }, featureNames: featureNames(b.rows) }),
  ...(b.trees && { trees: b.trees }),
  operators: b.operators,
  macs: b.macs ?? null,
  passes: b.passes,
  profiles: Object.fromEntries(profiles.map(p => [p.name, { ...p, backEnd: undefined }])),
});
const featureNames = (r: RowsOfFeatures): readonly string[] => r.names ?? Array.from({ length: r.columns }, (_, i) => `f${i}`);
/** The dimensions of an input that may vary: their bounds, and the step between sizes that are allowed. */
function freeSizes(p: Port): object[] {
  return seenType(p).shape.flatMap((d, axis) => {
    if (typeof d === 'number') return [];
    const { lo, hi } = rangeOf(d);
    const step = d.terms.map(t => Math.abs(t.coef)).reduce(gcd);
    // A first try for a page: one of a batch, some of a length.
    const start = axis === 0 && lo <= 1 ? Math.max(1, lo) : lo + Math.floor((Math.min(hi, Math.max(lo, 64)) - lo) / step) * step;
    return [{ axis, dim: showDim(d), min: lo, max: hi, step, start: Math.min(start, hi) }];
  });
}
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
