import { existsSync } from 'node:fs';
import { fields, number, optional, recordOf, text, whole, type Check } from '../../compiler/core/check.ts';
import { fail } from '../../compiler/core/diagnostic.ts';
import { readText } from '../../compiler/host/files.ts';

/**
 * What `sinter regress` compares with, as JSON. Figures of accuracy and size are the same on every machine; those of speed are ratios of
 * times of one machine, with the range that its noise gives them.
 */
export interface Baseline {
  readonly version: typeof BASELINE_VERSION;
  readonly models: Readonly<Record<string, ModelBaseline>>;
}
export const BASELINE_VERSION = 1;
export interface ModelBaseline {
  /** SHA-256 of the model's file. */
  readonly sha256: string;
  readonly targets: Readonly<Record<string, TargetBaseline>>;
}
export interface TargetBaseline {
  readonly accuracy?: Accuracy;
  readonly size?: Size;
  readonly speed?: Speed;
}
export interface Accuracy {
  /** What is taken for right: the model in float64 by Sinter's reference evaluator, or the file of answers that the suite names. */
  readonly reference: string;
  readonly samples: number;
  /** The worst over all samples, in three digits. */
  readonly outputs: Readonly<Record<string, OutputAccuracy>>;
  /** How far the model's own framework was from the same reference when this was written: nothing is compared with it. */
  readonly framework?: { readonly by: string; readonly outputs: Readonly<Record<string, { readonly abs: number }>> };
  readonly task?: { readonly what: string; readonly value: number };
}
export interface OutputAccuracy {
  readonly abs: number;
  readonly rel: number;
  readonly classes?: { readonly rows: number; readonly same: number };
}
/** Bytes. */
export interface Size {
  /** WebAssembly modules, or C sources. */
  readonly code: number;
  /** The code and its loader, gzip at level 9. */
  readonly gzip: number;
  readonly weights: number;
  readonly arena: number;
  /** What a page downloads, with gzip, over the model with gzip, in two digits; absent of C. */
  readonly download?: number;
}
/** Times of others divided by ours, by run and by whom. */
export interface Speed {
  readonly machine: string;
  /** The time of compilation divided by that of the calibration loop. */
  readonly compile?: number;
  readonly runs: Readonly<Record<string, Readonly<Record<string, Range>>>>;
}
export interface Range {
  readonly median: number;
  readonly lo: number;
  readonly hi: number;
}

const range = fields({ median: number, lo: number, hi: number });
const ACCURACY = fields({
  reference: text,
  samples: whole(0, 1e9),
  outputs: recordOf(
    fields({ abs: number, rel: number, classes: optional(fields({ rows: whole(0, 1e9), same: whole(0, 1e9) })) }),
  ),
  framework: optional(fields({ by: text, outputs: recordOf(fields({ abs: number })) })),
  task: optional(fields({ what: text, value: number })),
});
const bytes = whole(0, 2 ** 48);
const BASELINE: Check<Baseline> = fields({
  version: (v, bad): typeof BASELINE_VERSION =>
    v === BASELINE_VERSION ? v : bad(`is ${String(v)}: this Sinter reads ${BASELINE_VERSION}`),
  models: recordOf(
    fields({
      sha256: text,
      targets: recordOf(
        fields({
          accuracy: optional(ACCURACY),
          size: optional(fields({ code: bytes, gzip: bytes, weights: bytes, arena: bytes, download: optional(number) })),
          speed: optional(fields({ machine: text, compile: optional(number), runs: recordOf(recordOf(range)) })),
        }),
      ),
    }),
  ),
});

/** Reads a baseline; undefined where there is none yet. E205 where it is damaged. */
export function readBaseline(file: string): Baseline | undefined {
  if (!existsSync(file)) return undefined;
  const bad = (why: string): never => fail('E205', { file, why: `it is not a baseline: ${why.replace(/^\./, '')}` });
  try {
    return BASELINE(JSON.parse(readText(file)), bad);
  } catch (e) {
    if (e instanceof SyntaxError) return bad(`it is no JSON: ${e.message}`);
    throw e;
  }
}
/** Its text: one line a figure, models in the order of their names, so that a change is a small difference in a review. */
export function baselineText(b: Baseline): string {
  const models = Object.fromEntries(Object.entries(b.models).sort(([a], [c]) => (a < c ? -1 : 1)));
  return `${JSON.stringify({ ...b, models }, null, 2)}\n`;
}
