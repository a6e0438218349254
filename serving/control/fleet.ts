// What an endpoint runs: the instances of the variants of one endpoint configuration. Plain values, journalled.

export interface Variant {
  readonly name: string;
  readonly model: string;
  readonly instanceType: string;
  /** How many instances it is to have. */
  readonly count: number;
  readonly weight: number;
  /** A shadow gets copies of requests; its answers are dropped. */
  readonly shadow: boolean;
  readonly routing: 'LEAST_OUTSTANDING_REQUESTS' | 'RANDOM';
}
export interface Fleet {
  /** Of this daemon's whole life; a fleet of an update has another than the one before. */
  readonly id: string;
  /** The name of the endpoint configuration. */
  readonly config: string;
  readonly variants: readonly Variant[];
}
/** Instances that are ready, by variant. */
export type Ready = Readonly<Record<string, number>>;
/** How many instances of a variant are to run. */
export interface Wanted {
  readonly fleet: Fleet;
  readonly variant: string;
  readonly count: number;
}
/** A part of a fleet's instances, rounded up. */
export const part = (fleet: Fleet, fraction: number): readonly Wanted[] =>
  fleet.variants.map(v => ({ fleet, variant: v.name, count: Math.ceil(v.count * fraction - 1e-9) }));
/** Whether all that are wanted of a fleet are ready. */
export const complete = (wanted: readonly Wanted[], ready: Ready): boolean =>
  wanted.every(w => (ready[w.variant] ?? 0) >= w.count);
