import type { Trust } from './trust.ts';

/** What a gateway asks of a worker. `invoke`: SageMaker's container; `infer` and `infer-grpc`: the Open Inference Protocol. */
export type Op = 'invoke' | 'infer' | 'infer-grpc' | 'load' | 'unload' | 'list' | 'ping';
export interface Call {
  readonly op: Op;
  /** Undefined: the only model. */
  readonly model?: string | undefined;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
export interface Answer {
  /** Of HTTP; gRPC's follows from it. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Microseconds that the model ran for the batch of this call. */
  readonly microseconds?: number;
  /** Rows, or runs, that the model answered for this call. */
  readonly rows?: number;
}

/** A model of an instance: a bundle, a trained model, or an archive of either. */
export interface ModelSpec {
  readonly name: string;
  readonly path: string;
}
/** What a worker is told of a model. */
export interface LoadedFrom {
  readonly name: string;
  /** Where it was asked for, as the list of models shows it. */
  readonly url: string;
  /** The folder of its bundle. */
  readonly bundle: string;
  /** Whether it was compiled here, of a trained model. */
  readonly compiled: boolean;
}
/** How the container answers: as AWS's container of XGBoost of this tag, such as `1.2-1`, or as Sinter's own. */
export type Contract = { readonly k: 'xgboost'; readonly tag: string } | { readonly k: 'sinter' };
/** The first frame that a worker gets. */
export interface WorkerStart {
  readonly models: readonly LoadedFrom[];
  /** The environment of the container, of which it reads `SAGEMAKER_…`. */
  readonly env: Readonly<Record<string, string>>;
  readonly contract: Contract;
  readonly trust: Trust;
  /** The most bytes that a compressed body may unfold to. */
  readonly maxBody: number;
  /** The most rows of one run. */
  readonly maxBatch: number;
}
