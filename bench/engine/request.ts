import { readFileSync } from 'node:fs';
import { type DType, DTYPES } from '../../compiler/core/dtype.ts';
import { relisted, textList } from '../../compiler/core/texts.ts';
import { numel, type Tensor } from '../../compiler/core/tensor.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { writeFile } from '../../compiler/host/files.ts';
import type { AccuracyDifference, RuntimeName, PeerName, OperatorTimes } from './result.ts';
import type { Samples } from './turns.ts';

/** Inputs of one call by name. */
export type Feed = ReadonlyMap<string, Tensor>;

/** What one process measures: a bundle and its peers on the same inputs. It goes there as JSON. */
export interface MeasureRequest {
  readonly bundle: string;
  /** The original, for the peers. */
  readonly model?: string;
  readonly format: string;
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
/** The inputs of a run in files: of each input those of all feeds, one after the other, as bytes. */
interface FeedFiles {
  readonly label: string;
  readonly feeds: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly dims: readonly number[];
    readonly texts?: readonly string[];
    readonly file: string;
  }[];
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

/** Writes inputs to files `<stem>.<i>.bin`. All feeds have the same names, types and sizes. */
export function writeFeeds(stem: string, label: string, feeds: readonly Feed[]): FeedFiles {
  const [first] = feeds;
  const inputs = [...must(first, 'feed')].map(([name, t], i) => {
    const file = `${stem}.${i}.bin`;
    const list = textList();
    writeFile(file, Buffer.concat(feeds.map(f => relisted(must(f.get(name), name), list).bytes)));
    return { name, dtype: t.dtype, dims: t.dims, file, ...(t.texts && { texts: list.texts }) };
  });
  return { label, feeds: feeds.length, inputs };
}
export function readFeeds(f: FeedFiles): Feed[] {
  const feeds = Array.from({ length: f.feeds }, () => new Map<string, Tensor>());
  for (const { name, file, ...type } of f.inputs) {
    const all = readFileSync(file);
    const size = numel(type.dims) * DTYPES[type.dtype].bytes;
    // Copies: whoever runs on them may ask for alignment, and for an array of its own.
    feeds.forEach((feed, i) => feed.set(name, { ...type, bytes: Uint8Array.from(all.subarray(i * size, (i + 1) * size)) }));
  }
  return feeds;
}
