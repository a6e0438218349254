import type { Warning } from './core/diagnostic.ts';
import type { BackEnd } from './backend/backend.ts';
import type { Iterations, TreeOutput } from './import/shared/trees.ts';
import type { Optimize, TreeStrategy } from './ops/lowering.ts';
import type { Tuned } from './ops/tuning.ts';
import type { TreeStats } from './ops/trees/stats.ts';
import type { ExternalResolver } from './import/shared/external.ts';
import type { Importer, TfliteRounding } from './import/importer.ts';
import type { Format } from './import/index.ts';
import type { QuantizationPlan } from './quantize/plan.ts';

/** The phases of a compilation, in order. Lowering to emission run once for each module of the target. */
export const PHASES = ['import', 'passes', 'lower', 'plan', 'kernels', 'emit', 'bundle'] as const;
export type Phase = (typeof PHASES)[number];

/** A dimension's size, or its range: `{ min: 1, max: 512, step: 8 }` is the multiples of 8 up to 512. Ends are inclusive. */
export type DimOption = number | { readonly min: number; readonly max: number; readonly step?: number };

export interface CompileOptions {
  /** The model's bytes. (From Node, `compile` of the package also takes a path.) */
  readonly model: Uint8Array;
  /** Told from the bytes where it is left out. */
  readonly format?: Format;
  /** Importers of formats besides those that Sinter reads. They are asked first whether a model is theirs. */
  readonly importers?: readonly Importer[];
  /** A target's name, or a profile of one's own with the fields of targets/*.json. Default: wasm-simd. */
  readonly target?: string | object;
  /** Back ends besides those of the compiler, which a profile of one's own names in `emit`. */
  readonly backEnds?: readonly BackEnd[];
  /** Threads that may share the work of a run; default: the profile's, which is 1 but for those of WebAssembly with threads. */
  readonly threads?: number;
  /**
   * Sizes of named dimensions; the default of a free dimension is told by the importer. Rows of features have one, `batch`: from 1 to
   * 10,000, or to as many rows as 64 MiB hold of inputs and outputs.
   */
  readonly dims?: Readonly<Record<string, DimOption>>;
  /**
   * Sizes of whole inputs, axis by axis, beside or in the place of `dims`: `{ x: [1, 3, 48, { min: 160, max: 320 }] }`. null leaves an axis
   * as the model has it. ONNX only.
   */
  readonly shapes?: Readonly<Record<string, readonly (DimOption | null)[]>>;
  /** Names of nodes, or of values: what they give are the outputs, in the place of the model's own. ONNX and TensorFlow. */
  readonly outputsAt?: readonly string[];
  /** The same: what they give are inputs, and what computes them is left out. ONNX and TensorFlow. */
  readonly inputsAt?: readonly string[];
  /** Boosting rounds to use of XGBoost and LightGBM models, from the first to the last, both included. Default: as the model says. */
  readonly iterations?: Iterations;
  /** Outputs of XGBoost and LightGBM models besides `prediction`. */
  readonly outputs?: readonly TreeOutput[];
  /** The function to compile of a TensorFlow SavedModel that has several signatures. Default: serving_default, or the only one. */
  readonly signature?: string;
  /** Names of the nodes that are the inputs of a frozen graph of TensorFlow, in order. Default: the placeholders that its outputs need. */
  readonly inputNames?: readonly string[];
  /** How integers of TensorFlow Lite models are rounded: `xnnpack` (default), as LiteRT does, or `reference`, as TFLite Micro does. */
  readonly tfliteRounding?: TfliteRounding;
  /** What is quantized of the model, and how: what `quantize` gives, or the text of its file. */
  readonly quantization?: QuantizationPlan | string;
  /** What errors call the plan: its file. */
  readonly quantizationFile?: string;
  /** How ensembles of trees become code; default: `auto`, by their size. A strategy that does not serve is the plain walk. */
  readonly treeStrategy?: TreeStrategy;
  /**
   * `size` (default): weights are stored no larger than the model has them, and transformed when it is loaded; `start`: as the kernels want
   * them, up to four times as large. C for little memory has them as small as they can be read, and transforms none.
   */
  readonly optimize?: Optimize;
  /** How steps are computed that were measured: what `tune` gives. */
  readonly tuning?: Tuning;
  /** The name of the bundle's model; default: the file's name without its ending. */
  readonly name?: string;
  /** The file's name, for messages and the manifest. */
  readonly file?: string;
  /** Gives bytes of files beside the model, for weights that are not inside it. */
  readonly external?: ExternalResolver;
  /** Weights up to this many bytes are put inside the module; default: the profile's. */
  readonly embedBelow?: number;
  /** Names of the classes, exported by the bundle and shown on its page. */
  readonly labels?: readonly string[];
  /** Told what is going on; must not throw. */
  readonly onProgress?: (p: Progress) => void;
  /** Runs the verifier of each IR after every pass. */
  readonly verifyIr?: boolean;
  /** Ends after this phase, with a result that has no files. */
  readonly stopAfter?: Phase;
  /** Is given the text of the program's stages, in order: `01-import.graph`, … Only made if asked for. */
  readonly onText?: (stage: Stage) => void;
}
/** What was found best of steps on some machine, by profile and step. */
export interface Tuning {
  /** Where it is from, for messages. */
  readonly file: string;
  readonly steps: Readonly<Record<string, Tuned['steps']>>;
}
/** What is chosen of a model: with it, a bundle's manifest tells how to import the model again. */
const MODEL_CHOICES = [
  'dims',
  'format',
  'iterations',
  'outputs',
  'shapes',
  'outputsAt',
  'inputsAt',
  'signature',
  'inputNames',
  'tfliteRounding',
] as const;
export type ModelChoices = Pick<CompileOptions, (typeof MODEL_CHOICES)[number]>;
export const modelChoices = (o: ModelChoices): ModelChoices =>
  Object.fromEntries(MODEL_CHOICES.flatMap(k => (o[k] === undefined ? [] : [[k, o[k]]])));

/** A stage of the compilation as text: what `--dump` and `--print-after` show. */
export interface Stage {
  readonly phase: Phase;
  /** The pass it came out of; empty: the phase as a whole. */
  readonly pass: string;
  /** The module, where there is one for each. */
  readonly profile: string;
  /** The ending of a file that holds it: graph, program, or that of the back end, such as wat. */
  readonly ending: string;
  /** Prints it; costly for large models. */
  text(): string;
}
export type Progress =
  | { readonly k: 'begin'; readonly phase: Phase; readonly profile: string }
  | { readonly k: 'pass'; readonly phase: Phase; readonly pass: string; readonly ms: number }
  | { readonly k: 'end'; readonly phase: Phase; readonly profile: string; readonly ms: number };

export interface CompileResult {
  /** The bundle by file name; empty where the compilation was stopped before. */
  readonly files: Map<string, Uint8Array>;
  readonly report: Report;
}
/** What the command prints at the end. Sizes in bytes, times in milliseconds. */
export interface Report {
  readonly name: string;
  readonly target: string;
  readonly source: { readonly file: string; readonly bytes: number; readonly sha256: string };
  readonly inputs: readonly PortReport[];
  readonly outputs: readonly PortReport[];
  readonly symbols: readonly {
    readonly name: string;
    readonly lo: number;
    readonly hi: number;
    readonly from: 'input' | 'run';
  }[];
  /** Operators in the model as imported, and in the graph after the passes. */
  readonly operators: { readonly before: number; readonly after: number };
  readonly modules: readonly ModuleReport[];
  /** Of one run, at the largest sizes; undefined where no operator tells. */
  readonly macs: number | undefined;
  /** Decision trees; undefined where there are none. */
  readonly trees: TreeStats | undefined;
  /** In the order in which they ran: those over graphs (phase `passes`) and those over kernels (phase `kernels`). */
  readonly passes: readonly { readonly phase: Phase; readonly name: string; readonly ms: number }[];
  readonly phases: readonly { readonly name: Phase; readonly profile: string; readonly ms: number }[];
  readonly warnings: readonly Warning[];
  /** Bytes of each file of the bundle. */
  readonly files: Readonly<Record<string, number>>;
}
export interface PortReport {
  readonly name: string;
  /** As onnxruntime names it: float32, int64, … */
  readonly type: string;
  readonly shape: readonly (number | string)[];
  /** Of texts that the model looks into: the bytes that each may have, which code takes as a last axis more. */
  readonly bytes?: number | string;
}
export interface ModuleReport {
  readonly profile: string;
  readonly kernels: number;
  /** Kernel calls of a run: the fused groups. */
  readonly steps: number;
  readonly weights: number;
  /** Bytes of them by what they are, most first. */
  readonly stored: readonly { readonly what: string; readonly bytes: number }[];
  readonly arena: number;
  /** Of the WebAssembly module, or of the C source. */
  readonly bytes: number;
  /** Bytes of WebAssembly by kernel, largest first, and what it is a kernel of. */
  readonly code: readonly { readonly kernel: string; readonly what: string; readonly calls: number; readonly bytes: number }[];
}
