import type { Warning } from '../core/diagnostic.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { TreeStats } from '../ops/trees/stats.ts';
import type { TarFile } from './shared/archive.ts';
import type { DimChoices, ShapeChoices } from './shared/dims.ts';
import type { ExternalResolver } from './shared/external.ts';
import type { Iterations } from './shared/trees.ts';

/**
 * TensorFlow Lite's two ways to round integers: `xnnpack`, as its runtime does where it can, and `reference`, as its reference kernels and
 * those for microcontrollers do.
 */
export const TFLITE_ROUNDINGS = ['xnnpack', 'reference'] as const;
export type TfliteRounding = (typeof TFLITE_ROUNDINGS)[number];

/** A model as it is given: a file, with the files beside it where those can be had. */
export interface ModelFile {
  /** For messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Bytes of the file as it lies on disk, before anything was unpacked: what unpacking is bounded by. */
  readonly whole: number;
  /** Gives bytes of files beside the model: of its folder, or of those that a page was given with it. */
  readonly beside?: ExternalResolver;
}

/** Options that only some importers take, with what they choose from, for the message where another is given them. */
export const SPECIAL_OPTIONS = {
  iterations: 'boosting rounds to choose from',
  outputs: 'outputs to choose from',
  signature: 'signatures to choose from',
  'input-names': 'inputs to name',
  shapes: 'shapes of inputs to choose',
  'outputs-at': 'nodes to cut at',
  'inputs-at': 'nodes to cut at',
  'tflite-rounding': 'integers that two kernels of a runtime round in two ways',
} as const;
export type SpecialOption = keyof typeof SPECIAL_OPTIONS;

export interface ImportOptions {
  /** The graph's name; else the file's own. */
  readonly name?: string;
  /** What free dimensions may be. */
  readonly dims?: DimChoices;
  /** What whole inputs may be. */
  readonly shapes?: ShapeChoices;
  /** Names of nodes or values whose results are the outputs. */
  readonly outputsAt?: readonly string[];
  /** Names of nodes or values whose results are inputs. */
  readonly inputsAt?: readonly string[];
  /** Boosting rounds to use. */
  readonly iterations?: Iterations;
  /** Outputs besides the ones that are always there. */
  readonly outputs?: readonly string[];
  /** How integers are rounded where the framework's own kernels differ. */
  readonly tfliteRounding?: TfliteRounding;
  /** The function to compile of a model that offers several. */
  readonly signature?: string;
  /** Names of the nodes that are the inputs, in order, of a model that does not say. */
  readonly inputNames?: readonly string[];
  /** Is told what each name of the file became, where values of the file have names. */
  readonly onValue?: (name: string, value: Value) => void;
}

/** A model that takes rows of features: which input that is, and what the columns are called. */
export interface RowsOfFeatures {
  readonly input: string;
  readonly columns: number;
  /** undefined: the model does not name them. */
  readonly names: readonly string[] | undefined;
}
/** What an importer makes of a model. */
export interface ImportedGraph {
  readonly graph: Graph;
  readonly warnings: readonly Warning[];
  /** How many operators the model is made of, by name: those of the file where it has any, else those of the graph. */
  readonly histogram: Readonly<Record<string, number>>;
  /** The names of the classes, where the model has them. */
  readonly labels?: readonly string[];
  readonly rows?: RowsOfFeatures;
}

/** What a file says about itself, in rows for people and for programs. */
export type Facts = Readonly<Record<string, string | number | readonly string[]>>;
/** What a model is made of. */
export interface ModelFacts {
  /** The framework and the form of the file: `XGBoost 1.7.6, JSON`. */
  readonly title: string;
  readonly facts: Facts;
  readonly inputs: readonly InspectedPort[];
  readonly outputs: readonly InspectedPort[];
  /** Names by which `--dim` chooses sizes, with where each stands. */
  readonly free: readonly { readonly name: string; readonly places: readonly string[] }[];
  /** How many nodes of each operator, most first; those of sub-graphs and functions too. */
  readonly operators: Readonly<Record<string, number>>;
  readonly parameters: { readonly tensors: number; readonly elements: number; readonly bytes: number };
  /** Multiply-adds of one run with free dimensions of the given sizes. */
  readonly macs: { readonly count: number; readonly at: Readonly<Record<string, number>> } | undefined;
  /** Decision trees; undefined where there are none. */
  readonly trees: TreeStats | undefined;
  /** Why the model cannot be compiled as it is. */
  readonly problem: { readonly code: string; readonly message: string } | undefined;
  readonly warnings: readonly Warning[];
}
export interface InspectedPort {
  readonly name: string;
  readonly type: string;
  /** null: the file says nothing. */
  readonly shape: readonly (number | string | null)[] | null;
}

/** A graph to be drawn, without its constants. */
export interface Drawing {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly DrawnNode[];
  /** What is not in the drawing, in words. */
  readonly note?: string;
}
export interface DrawnNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly DrawnInput[];
  readonly outputs: readonly string[];
  /** Attributes worth a look, in words. */
  readonly notes: readonly string[];
  /** Sizes of the first output. */
  readonly shape: string;
  readonly supported: boolean;
  /** Branches, bodies and trees, by name. Input i of such a graph is input i of the node. */
  readonly graphs: readonly (readonly [name: string, graph: Drawing])[];
}
/** A value by name; with a word on the line that brings it. */
export type DrawnInput = string | { readonly value: string; readonly word: string };

/** A model whose records have been read. */
export interface OpenModel {
  /** E1xx: what is not supported; E2xx: what is damaged; E30x: free dimensions. */
  import(o: ImportOptions): ImportedGraph;
  /** Also where the model cannot be compiled. E2xx where it cannot be read. */
  inspect(): ModelFacts;
  drawing(): Drawing;
}

/** Whether bytes are of a format: by a mark of its own, for all that their beginning says, or not. */
export type Likeness = 'certain' | 'possible' | 'no';

/** A framework whose models Sinter reads. */
export interface Importer<Name extends string = string> {
  /** What `--format` calls it. */
  readonly name: Name;
  /** What people call it. */
  readonly title: string;
  /** The forms of files that are read, in words for messages: `LightGBM as text, JSON or pickle`. */
  readonly accepts: string;
  /** The file to begin with where a model is a folder, or those that it may be. */
  readonly mainFile?: string | readonly string[];
  /** The options it takes of those that only some do. */
  readonly takes: readonly SpecialOption[];
  /** Looks at the first bytes and at nothing outside `bytes`, which may be of anything. */
  sniff(bytes: Uint8Array): Likeness;
  /** Whether an archive is one model, given its files without those that are certainly another's; else the one model in it is opened. */
  ownsArchive?(files: readonly TarFile[]): boolean;
  /** E202: not of this format. E203: damaged. */
  open(file: ModelFile): OpenModel;
}
