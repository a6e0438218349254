import type { Bytes } from '../../compiler/host/packed.ts';
import type { TfReference } from '../../compiler/reference/tensorflow.ts';

/**
 * What a benchmark found, as JSON: `sinter bench --json FILE` writes a `BenchResult`. Times are milliseconds, sizes bytes, ratios plain
 * factors. The version counts up when the meaning of a field changes; new fields may come without that.
 */
export const RESULT_VERSION = 2;

export interface BenchResult {
  readonly version: typeof RESULT_VERSION;
  readonly sinter: string;
  /** The day on which it was measured, such as `2026-11-29`. */
  readonly date: string;
  /** The command line that repeats it. */
  readonly command: string;
  readonly machine: Machine;
  readonly settings: Settings;
  /** In the order in which they were asked for. */
  readonly cases: readonly CaseResult[];
}
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory: number;
  /** Such as `linux x64`. */
  readonly system: string;
  /** What ran the code, such as `Node v20.19.0 (V8 11.3.244.8)` or `Chromium 131.0.6778.33`. */
  readonly engine: string;
}
export interface Settings {
  /** Rounds in which everybody has a turn, in each process. */
  readonly rounds: number;
  /** Processes that a case was measured in, one after the other; samples of all count alike. */
  readonly processes: number;
  readonly threads: number;
  /** Of the inputs that were made at random. */
  readonly seed: number;
}

/** One model for one target. */
export interface CaseResult {
  readonly name: string;
  /** What the model is, and among what a report shows it: where a suite says so. */
  readonly doc?: string;
  readonly group?: string;
  /** The file that was compiled, or the folder of the bundle. */
  readonly source: string;
  readonly target: string;
  readonly outcome: Outcome;
}
export type Outcome =
  | ({ readonly k: 'done' } & CaseFigures)
  /** The model or our side: it could not be compiled or loaded, stopped, or ended its process. */
  | { readonly k: 'failed'; readonly message: string };

export interface CaseFigures {
  /** SHA-256 of the model; undefined where only the bundle was given. */
  readonly sha256?: string;
  /** The module that ran, of those that the bundle has: the profile's name. */
  readonly profile: string;
  /** From the model's bytes to the files of the bundle; undefined where a bundle was given. */
  readonly compileMs?: number;
  /** Bytes of inputs, outputs and scratch memory together. */
  readonly arena: number;
  /** Multiply-adds of a run at the largest sizes, where operators tell. */
  readonly macs?: number;
  /** Ours first, then the peers in the order in which they were asked for. */
  readonly runtimes: readonly Runtime[];
  /** One for each shape of the inputs. */
  readonly runs: readonly Run[];
  readonly operatorTimes?: readonly OperatorTimes[];
}

export type PeerName = 'onnxruntime-web' | 'onnxruntime-node' | TfReference | 'xgboost-python';
export type RuntimeName = 'sinter' | PeerName;
export type Runtime =
  | ({ readonly k: 'ran'; readonly name: RuntimeName; readonly version: string } & Footprint)
  /** It is not installed. `how` tells what installs it. */
  | { readonly k: 'missing'; readonly name: PeerName; readonly how: string }
  /** It cannot run models of this kind. */
  | { readonly k: 'unsuited'; readonly name: PeerName; readonly why: string }
  | { readonly k: 'failed'; readonly name: PeerName; readonly version?: string; readonly message: string };
/** What it costs besides the time of a call. What is undefined was not measured. */
export interface Footprint {
  /** From the first line of a fresh process, after the engine's own start, to the first answer, on the first run's inputs. */
  readonly coldStart?: Spread;
  /** The same of a process that imports an empty module, which is the engine's own part. */
  readonly idle?: Spread;
  /** What a user must get: code (of a peer: its runtime) and weights (of a peer: the model). */
  readonly size?: { readonly code: Bytes; readonly weights: Bytes };
  /** Peak of the resident memory of a fresh process that answers once, beyond that of the engine alone. */
  readonly memory?: number;
}
/** Samples in one figure. `lo` and `hi` are the quartiles: half of the samples lie between them. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly lo: number;
  readonly hi: number;
  readonly count: number;
}

/** All who could run one shape, measured in turns. */
export interface Run {
  /** Such as `1x3x320x320`, or what a suite calls it. */
  readonly label: string;
  /** The sizes of each input. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Of one call, ours first; those who failed are not among them. */
  readonly times: readonly Time[];
  /** A loop of arithmetic that never changes, measured in the same turns: compare times of different days by it. */
  readonly calibration: Spread;
  readonly ratios: readonly Ratio[];
  readonly differences: readonly AccuracyDifference[];
  /** Peers that stopped on these inputs. */
  readonly failures: readonly { readonly name: PeerName; readonly message: string }[];
}
export interface Time extends Spread {
  readonly name: RuntimeName;
  /** Calls of one sample: short ones are repeated. */
  readonly calls: number;
}
/**
 * Of two times of the same round, many rounds. `median` is the figure to quote; `lo` and `hi` bound where the median of another run of the
 * same benchmark is to be expected (`ratioOf` in statistics.ts tells how they are made), so two results differ if these ranges do not meet.
 */
export interface Ratio {
  /** The time of this is divided by ours: above 1, ours is faster. `calibration`: the loop's time. */
  readonly to: PeerName | 'calibration';
  readonly median: number;
  readonly lo: number;
  readonly hi: number;
  readonly rounds: number;
}
/** Ours minus a peer's on the same inputs: the worst over the inputs of the run. */
export interface AccuracyDifference {
  readonly to: PeerName;
  readonly outputs: readonly {
    readonly name: string;
    /** The largest difference of an element; JSON has no infinity: null where types, shapes or NaNs differ. */
    readonly abs: number | null;
    /** That difference as a part of the largest magnitude in the output. */
    readonly relative: number | null;
  }[];
}

/** Where our time goes, step by step, on one run's inputs. */
export interface OperatorTimes {
  readonly label: string;
  /** Measured in the same process: what the machine can do at most, with the instructions of the target, on one thread. */
  readonly peak: { readonly gflops: number; readonly gbytes: number };
  /** The sum of the steps' medians, and the median of a whole run without clocks. */
  readonly steps: number;
  readonly whole: number;
  /** Slowest first. */
  readonly rows: readonly OperatorTime[];
}
export interface OperatorTime {
  /** The operators that became code together, such as `Conv + Relu`, as they are after the compiler's passes. */
  readonly what: string;
  readonly kernel: string;
  /** The model's own names of the nodes in it. */
  readonly nodes: readonly string[];
  /** Calls in one run. */
  readonly calls: number;
  /** Of all calls of one run together. */
  readonly ms: number;
  /** Of the whole run, 0 to 1. */
  readonly share: number;
  /** Bytes read and written if each operand moved once. */
  readonly bytes: number;
  /** Additions and multiplications; undefined where the operators do not tell. */
  readonly flops?: number;
  readonly gflops?: number;
  readonly gbytes: number;
  /**
   * The time that the peak would take (roofline: the slower of arithmetic and memory), divided by `ms`. More than 1 is what code reaches that
   * does less than the operators say: Winograd's products, or borders that are not multiplied.
   */
  readonly efficiency: number;
  readonly bound: 'arithmetic' | 'memory';
}
