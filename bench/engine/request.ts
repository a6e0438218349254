import type { ModelChoices } from '../../compiler/options.ts';
import type { FeedFiles } from '../../compiler/run/feeds.ts';
import type { AccuracyDifference, RuntimeName, PeerName, OperatorTimes } from './result.ts';
import type { Samples } from './turns.ts';

/** What one process measures: a bundle and its peers on the same inputs. It goes there as JSON. */
export interface MeasureRequest {
  readonly bundle: string;
  /** The original, for the peers. */
  readonly model?: string;
  readonly format: string;
  readonly choices: ModelChoices;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly peers: readonly PeerName[];
  readonly runs: readonly FeedFiles[];
  readonly rounds: number;
  readonly seconds: number;
  readonly sampleMs: number;
  readonly warmMs: readonly [number, number];
  readonly threads: number;
  readonly python: string;
  /** Whether to time the operators one by one after the measurements. */
  readonly operators: boolean;
}
/** What that process tells. */
export type Message =
  /** Who is at work from now on: if the process ends, it was them. */
  | { readonly k: 'at'; readonly who: RuntimeName; readonly doing: string }
  | { readonly k: 'round'; readonly run: number; readonly round: number }
  /** A peer cannot go on; `run` where only that run is concerned. */
  | { readonly k: 'failed'; readonly who: PeerName; readonly message: string; readonly run?: number }
  /** Ours cannot: the end. `known`: the message is for people; else it is a bug. */
  | { readonly k: 'broken'; readonly message: string }
  | { readonly k: 'opened'; readonly profile: string }
  | ({ readonly k: 'measured'; readonly run: number } & Measured)
  | { readonly k: 'operators'; readonly times: OperatorTimes }
  | { readonly k: 'done' };
/** The samples of a run in one process. */
export interface Measured {
  /** Ours first. */
  readonly times: readonly { readonly name: RuntimeName; readonly samples: Samples }[];
  readonly calibration: Samples;
  readonly differences: readonly AccuracyDifference[];
}
