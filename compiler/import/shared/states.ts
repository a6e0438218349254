import { fail, type Warning } from '../../core/diagnostic.ts';
import { toNumbers, type Tensor } from '../../core/tensor.ts';
import type { Value } from '../../graph/graph.ts';

/** A tensor that a run leaves for the next one. */
export interface State {
  readonly name: string;
  /** What the last run left, an input of the graph. */
  readonly before: Value;
  /** What the first run begins with; undefined: zeros. */
  readonly initial: Tensor | undefined;
  /** What this run leaves. */
  after(): Value;
}
interface Tied {
  readonly input: Value;
  readonly output: { readonly name: string; readonly value: Value };
}
/** States as inputs and outputs `NAME:next`. E202 where one of these names is among `taken`. */
export function tied(
  states: readonly State[],
  taken: Set<string>,
  { file, warnings }: { readonly file: string; readonly warnings: Warning[] },
): readonly Tied[] {
  return states.map(s => {
    const output = { name: `${s.name}:next`, value: s.after() };
    if (taken.has(s.name) || taken.has(output.name))
      fail('E202', { file, why: `two of its inputs and outputs have the name '${s.name}'` });
    taken.add(s.name).add(output.name);
    beginning(s, file, warnings);
    return { input: s.before, output };
  });
}
/** Values of a warning. */
const SHOWN = 8;
/** Says what the first run is to be given where that is not zeros. */
function beginning({ name, initial }: State, file: string, warnings: Warning[]): void {
  const values = initial ? toNumbers(initial) : [];
  if (values.every(v => v === 0)) return;
  const shown = `${Array.from(values.slice(0, SHOWN)).join(', ')}${values.length > SHOWN ? ', …' : ''}`;
  const message = `the state '${name}' begins as ${shown}: give it this in the first run`;
  warnings.push({ code: 'state', message, loc: { k: 'file', file, what: name } });
}
