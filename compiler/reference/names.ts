import type { Tensor } from '../core/tensor.ts';

/** Which of `ours` each of a framework's names is: the same name (without `:0`) where all are known, else by its place. */
export function alike(theirs: readonly string[], ours: readonly string[]): string[] {
  const bare = theirs.map(n => n.replace(/:0$/, ''));
  const known = bare.every(n => ours.includes(n)) && new Set(bare).size === bare.length;
  return known || theirs.length !== ours.length ? bare : [...ours];
}
/** Tensors by a framework's names under ours. */
export function renamed(answer: ReadonlyMap<string, Tensor>, ours: readonly string[]): Map<string, Tensor> {
  const names = alike([...answer.keys()], ours);
  return new Map([...answer.values()].map((t, i) => [names[i] ?? '', t]));
}
