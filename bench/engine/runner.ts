import type { ModelChoices } from '../../compiler/options.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import type { Feed } from '../../compiler/run/feeds.ts';
import type { PeerName } from './result.ts';
import type { Turn } from './turns.ts';

/** A model that is loaded and can be timed. */
export interface Runner {
  /** The time of calls on these inputs, one after the other and again from the first. */
  turn(feeds: readonly Feed[]): Turn | Promise<Turn>;
  /** Outputs by name. */
  answer(feed: Feed): Promise<ReadonlyMap<string, Tensor>>;
  close(): Promise<void>;
}
/** How a fresh process answers once: a command that prints `Answered` as its last line. */
export interface ColdStart {
  readonly command: string;
  readonly args: readonly string[];
  /** The same of a process that does nothing: its memory is not the runtime's. */
  readonly idle: { readonly command: string; readonly args: readonly string[] };
}
export interface ColdStarted {
  /** Milliseconds from its first line to the answer. */
  readonly ms: number;
  /** Bytes of memory at the peak. */
  readonly rss: number;
}
/** Where and how a peer is used. */
export interface PeerContext {
  /** The original's file; of a folder, the one that it begins with. */
  readonly model: string;
  readonly format: string;
  /** What was chosen of it. */
  readonly choices: ModelChoices;
  /** Names of inputs and outputs. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly threads: number;
  /** The command that is Python. */
  readonly python: string;
}
/** A peer as it was found here. */
export type Found =
  | { readonly k: 'missing'; readonly how: string }
  | { readonly k: 'unsuited'; readonly why: string }
  | {
      readonly k: 'found';
      readonly version: string;
      /** Files of its code that a user must have; empty where they cannot be told. */
      readonly code: readonly string[];
      open(): Promise<Runner>;
      coldStart?(inputs: string, work: string): ColdStart;
    };
export interface Peer {
  readonly name: PeerName;
  find(c: PeerContext): Promise<Found>;
}
