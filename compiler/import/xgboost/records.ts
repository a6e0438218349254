/** Major, minor, patch. */
export type Version = readonly [number, number, number];
export const before = (v: Version, major: number, minor: number, patch = 0): boolean =>
  v[0] !== major ? v[0] < major : v[1] !== minor ? v[1] < minor : v[2] < patch;

/** What a file of XGBoost holds, whatever form it has: JSON, UBJSON or the binary of before 3.1. Sizes agree; contents are not checked. */
export interface XgbModel {
  /** Of the XGBoost that wrote it; [0, 90, 0] stands for all before 1.0, which do not say. The binary form has no third number. */
  readonly version: Version;
  /** `reg:squarederror`, `multi:softprob`, … */
  readonly objective: string;
  readonly numFeature: number;
  /** 0 for regression and two classes. */
  readonly numClass: number;
  /** Columns of the label; 1 if there is one. */
  readonly numTarget: number;
  /** One number for all outputs, or one for each; in the space of predictions, before 1.0 of margins. */
  readonly baseScore: readonly number[];
  readonly booster: XgbTrees | XgbLinear;
  /** Strings that were put beside the model: `best_iteration`, `scikit_learn`, … */
  readonly attributes: ReadonlyMap<string, string>;
  /** Empty where the model was trained without. */
  readonly featureNames: readonly string[];
  /** `float`, `int`, `i` (indicator), `q`, `c` (categories); empty where the model was trained without. */
  readonly featureTypes: readonly string[];
}
export interface XgbTrees {
  readonly k: 'trees';
  readonly trees: readonly XgbTree[];
  /** The output group of each tree. */
  readonly treeInfo: readonly number[];
  /** Where each boosting round starts in `trees`, and the end; undefined before 2.1. */
  readonly rounds: readonly number[] | undefined;
  /** Trees of a round for each output; undefined where the file does not say (before 1.4). */
  readonly parallelTrees: number | undefined;
  /** DART: what leaves are multiplied by, for as many trees as it has; undefined for gbtree. */
  readonly weights: Float32Array | undefined;
  /** Whether categories were strings that a table in the model re-codes. */
  readonly recoded: boolean;
}
export interface XgbLinear {
  readonly k: 'linear';
  /** [feature][group] and then the biases: (numFeature + 1) x groups. */
  readonly weights: Float32Array;
}
/** One tree: arrays by node. Node 0 is the root; some nodes may be deleted ones that nothing leads to. */
export interface XgbTree {
  /** -1 at leaves. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly feature: ArrayLike<number>;
  /** The threshold; at leaves of one value that value. */
  readonly condition: Float32Array;
  readonly defaultLeft: Uint8Array;
  /** The sum of second derivatives of the rows that came by in training. */
  readonly hessian: Float32Array;
  /** By node: which categories go right; undefined at numerical splits. */
  readonly categories: ReadonlyMap<number, ArrayLike<number>> | undefined;
  /** Leaves of several values: the vectors one after another, and by node which one is its. */
  readonly vectors: { readonly size: number; readonly values: Float32Array; readonly row: Int32Array } | undefined;
}
