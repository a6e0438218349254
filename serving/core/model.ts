import type { Answer } from './call.ts';
import type { Tensor } from './tensors.ts';

export interface Port {
  readonly name: string;
  readonly type: string;
  /** Names are sizes that vary. */
  readonly shape: readonly (number | string)[];
}
/** The input of a model of rows of features. */
export interface Table {
  readonly input: string;
  readonly columns: number;
  readonly type: 'float32' | 'float64';
  /** Of the columns, where the model says. */
  readonly names: readonly string[] | undefined;
}
/** What is known of a loaded model. */
export interface ModelInfo {
  readonly name: string;
  readonly url: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** Sizes that each input may have, by its name: one row where rows vary, else the least. */
  readonly sample: Readonly<Record<string, readonly number[]>>;
  readonly table: Table | undefined;
  /** Of XGBoost, where the model was compiled here. */
  readonly objective: string | undefined;
  readonly classes: number;
  /** The profile that it runs on. */
  readonly profile: string;
  /** The most rows of one run; undefined where requests are run one by one. */
  readonly maxBatch: number | undefined;
  /** How its answers were checked when it was loaded. */
  readonly checked: string;
}
export type Tensors = Readonly<Record<string, Tensor>>;
/** A request to a model, and what becomes of its outputs. */
export interface Inference {
  readonly inputs: Tensors;
  /** Rows that it is made of: the first size of all inputs, 1 where they have none. */
  readonly rows: number;
  readonly finish: (outputs: Tensors) => Answer;
}
