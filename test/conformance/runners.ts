import type { Tensor } from '../../compiler/core/tensor.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';

/** Ways to run a graph. `program`: lowered, run by the kernel interpreter, which sees whether parallel loops are such. `wasm`, `c`: lowered and emitted. */
export const WAYS = ['evaluate', 'program', 'wasm', 'c'] as const;
export type Way = (typeof WAYS)[number];
export type Run = (inputs: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>;

/** Compiles a graph for one way of running it. */
export async function runner(way: Way, g: Graph): Promise<Run> {
  switch (way) {
    case 'evaluate':
      return inputs => evaluate(g, inputs);
    case 'program':
    case 'wasm':
    case 'c':
      return (await import('./compiled.ts')).compiled(way, g);
  }
}
/** Loads what the first case would wait for. */
export async function preload(): Promise<void> {
  const { compiled } = await import('./compiled.ts');
  const nothing: Graph = { name: 'nothing', inputs: [], outputs: [], symbolDefinitions: [] };
  await compiled('wasm', nothing);
}
