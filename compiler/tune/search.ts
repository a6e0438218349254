/**
 * The search for what is best of the steps of a model:
 * ```
 * for step, by the arithmetic that all like it take, while there is time:
 *   for aspect:                                         each with what was found of those before
 *     open the step with each candidate; run them in turns
 *     take the fastest, unless the estimate's is as good
 * ```
 */
import { must } from '../core/diagnostic.ts';
import { dimHi, rangeOf, showDim, symbol, type Dim } from '../core/dim.ts';
import { algorithm } from '../passes/algorithm.ts';
import { runPasses } from '../passes/index.ts';
import { apply, input, type Graph, type Node } from '../graph/graph.ts';
import { stepKey } from '../graph/print.ts';
import { allNodes } from '../graph/stats.ts';
import { lowerGraph } from '../lower/index.ts';
import type { LowerSettings } from '../ops/lowering.ts';
import { ASPECTS, type Aspect, type Choice, type StepChoices, type Tuned } from '../ops/tuning.ts';
import type { Profile } from '../target/profile.ts';
import type { Steps } from './cache.ts';

/** Makes code of a step, which is a graph of its own, and gives what runs it once. */
export type OpenStep = (step: Graph, tuned: Tuned) => Promise<() => void>;
/** Milliseconds since some time. */
export type Clock = () => number;
interface Search {
  readonly graph: Graph;
  readonly profile: Profile;
  readonly settings: LowerSettings;
  /** What need not be measured again. */
  readonly known: Steps;
  /** Other profiles have the same weights: panels stay as wide as they are. */
  readonly shared: boolean;
  /** No step begins, and no measurement goes on, after so many milliseconds. */
  readonly ms: number;
  readonly clock: Clock;
  readonly open: OpenStep;
  /** Is told of each step that is begun. */
  readonly onStep?: (step: string, index: number, of: number) => void;
}
/** A step that takes part in the search has at least this part of all arithmetic. */
const WORTH = 0.01;

/**
 * Finds what is best of the heaviest steps of an imported graph, what is known among it. Steps, or aspects of the last of them, that time did
 * not suffice for are left out.
 */
export async function searchSteps(s: Search): Promise<Steps> {
  const end = s.clock() + s.ms;
  const steps = heaviest(s);
  const found: Record<string, StepChoices> = {};
  for (const [i, { step, node }] of steps.entries()) {
    if (s.clock() >= end) break;
    const known = Object.hasOwn(s.known, step) ? s.known[step] : {};
    const best = await bestOf(s, step, node, { ...known }, end, () => s.onStep?.(step, i, steps.length));
    if (Object.keys(best).length > 0) found[step] = best;
  }
  return found;
}

/** The steps that have choices, heaviest first. */
function heaviest(s: Search): { readonly step: string; readonly node: Node }[] {
  const nodes = new Map<string, Node>();
  const tuned: Tuned = { steps: {}, file: '', onChoice: c => void nodes.set(c.step, c.node) };
  const graph = runPasses(s.graph, s.profile, undefined, tuned);
  lowerGraph(graph, s.profile, { ...s.settings, tuned });
  const work = new Map<string, number>();
  for (const n of allNodes(graph)) {
    const macs = n.op.macs?.(n);
    if (macs !== undefined) work.set(stepKey(n), (work.get(stepKey(n)) ?? 0) + dimHi(macs));
  }
  const all = [...work.values()].reduce((a, b) => a + b, 0);
  return [...nodes]
    .map(([step, node]) => ({ step, node, macs: work.get(step) ?? 0 }))
    .filter(x => x.macs > 0 && x.macs >= WORTH * all)
    .sort((a, b) => b.macs - a.macs || (a.step < b.step ? -1 : 1));
}

/** A node as a graph of its own: its operands are inputs, its free sizes are symbols of their own. */
function stepGraph(n: Node): Graph {
  const free = new Map<string, Dim>();
  const size = (d: Dim): Dim => {
    if (typeof d === 'number') return d;
    const { lo, hi } = rangeOf(d);
    const own = free.get(showDim(d)) ?? symbol(`n${free.size}`, lo, hi);
    free.set(showDim(d), own);
    return own;
  };
  const args = n.inputs.map((v, i) => {
    if (!v || v.def.k === 'const') return v;
    return input(`x${i}`, { ...v.type, shape: v.type.shape.map(size) });
  });
  const outs = apply(n.op, args, n.attrs, n.loc);
  return {
    name: 'step',
    inputs: args.flatMap(v => (v?.def.k === 'input' ? [v] : [])),
    outputs: outs.map((value, i) => ({ name: `y${i}`, value })),
    symbolDefinitions: [],
  };
}
/** What is chosen while a step is made into code. */
function choicesOf(s: Search, g: Graph, steps: Steps): Map<Aspect, Choice> {
  const out = new Map<Aspect, Choice>();
  const tuned: Tuned = { steps, file: '', onChoice: c => void out.set(c.aspect, c) };
  lowerGraph(algorithm.run(g, { profile: s.profile, tuned }), s.profile, { ...s.settings, tuned });
  return out;
}

async function bestOf(
  s: Search,
  step: string,
  node: Node,
  known: StepChoices,
  end: number,
  begin: () => void,
): Promise<StepChoices> {
  const graph = stepGraph(node);
  let best = known;
  let begun = false;
  for (const aspect of ASPECTS) {
    const choice = choicesOf(s, graph, { [step]: best }).get(aspect);
    // Sizes that depend on each other are not free alone: then it is another step.
    if (choice?.step !== step || best[aspect] !== undefined) continue;
    if (!begun) begin();
    begun = true;
    const { estimate } = choice;
    const width = (name: string): string | undefined => name.split('x')[1];
    const others = choice.candidates.filter(
      name => name !== estimate && !(s.shared && aspect === 'blocks' && width(name) !== width(estimate)),
    );
    const names = [estimate, ...others];
    const runs: (() => void)[] = [];
    for (const name of names) {
      if (s.clock() >= end) return best;
      runs.push(await s.open(graph, { steps: { [step]: { ...best, [aspect]: name } }, file: '' }));
    }
    const ms = names.length === 1 ? [0] : timesOf(runs, s.clock, end);
    if (!ms) return best;
    best = { ...best, [aspect]: must(names[fastest(ms)]) };
  }
  return best;
}
/** The estimate's, which is the first, is kept where no other takes less than this part of its time. */
const CLEARLY = 0.97;
function fastest(ms: readonly number[]): number {
  const least = ms.indexOf(Math.min(...ms));
  return must(ms[least]) < CLEARLY * must(ms[0]) ? least : 0;
}

/** Engines compile what has run for a while anew. */
const WARM_UP = { runs: 3, ms: 50 };
/** In turns, so that what slows the machine down slows all; the fastest of all turns counts. */
const ROUNDS = 9;
/** A turn takes as many runs as fill these milliseconds. */
const TURN = 2;
/** The least time of each, in milliseconds; undefined where time is up. */
function timesOf(runs: readonly (() => void)[], clock: Clock, end: number): number[] | undefined {
  const turns = runs.map(run => {
    const start = clock();
    let n = 0;
    while (n < WARM_UP.runs || clock() - start < WARM_UP.ms) {
      run();
      n++;
    }
    const from = clock();
    run();
    return { run, times: Math.max(1, Math.ceil(TURN / Math.max(1e-3, clock() - from))), least: Infinity };
  });
  for (let round = 0; round < ROUNDS; round++)
    for (const t of turns) {
      const from = clock();
      if (from >= end) return undefined;
      for (let i = 0; i < t.times; i++) t.run();
      t.least = Math.min(t.least, (clock() - from) / t.times);
    }
  return turns.map(t => t.least);
}
