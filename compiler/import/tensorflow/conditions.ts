import { must } from '../../core/diagnostic.ts';
import { caseFunctions } from './cases.ts';
import {
  argument,
  closure,
  dataOf,
  functionDef,
  named,
  readersOf,
  SWITCH,
  withoutFrames,
  type Program,
  type Readers,
} from './frames.ts';
import type { FunctionDef, NodeDef } from './records.ts';
import { isControl, splitRef } from './refs.ts';

/** More branches than this are left as they are. */
const MOST = 1000;
const MERGE = /^(?:Ref)?Merge$/;

/** A model whose loops and branches are those of the second generation: While and If with functions. */
export function structured(p: Program): Program {
  const looped = withoutFrames(p);
  const own = new Set(p.functions);
  const main = withoutSwitches(looped.nodes, '');
  // Functions of the file are of the second generation.
  const functions = looped.functions.flatMap(f => {
    if (own.has(f)) return [f];
    const made = withoutSwitches(f.nodes, `${f.signature?.name ?? ''} `);
    return [{ ...f, nodes: made.nodes }, ...made.functions];
  });
  const whole = { nodes: main.nodes, functions: [...functions, ...main.functions] };
  return { ...whole, functions: [...whole.functions, ...caseFunctions(whole)] };
}

/** A value of a Switch: which one, and on which side of its condition. */
interface Met {
  readonly node: NodeDef;
  readonly side: 0 | 1;
}
/** Switch and Merge outside of loops: one If for each Merge, inner ones first. Others stay as they are. */
function withoutSwitches(list: readonly NodeDef[], tag: string): Program {
  const merges = list.filter(n => MERGE.test(n.op));
  if (merges.length === 0 || merges.length > MOST || !list.some(n => SWITCH.test(n.op))) return { nodes: list, functions: [] };
  const functions: FunctionDef[] = [];
  let nodes = list;
  for (let left = merges.length; left > 0; left--) {
    const readers = readersOf(nodes);
    const made = nodes.flatMap(n => (MERGE.test(n.op) ? (branchesOf(n, readers, tag) ?? []) : []))[0];
    if (!made) return { nodes, functions };
    functions.push(...made.functions);
    nodes = nodes.flatMap(n => (n === made.merge ? made.nodes : [n]));
  }
  // What was switched has become the branches.
  const readers = readersOf(nodes);
  const dead = closure(
    nodes.filter(n => SWITCH.test(n.op)),
    n => readers.of.get(n.name) ?? [],
  );
  return { nodes: nodes.filter(n => !dead.has(n)), functions };
}

interface Branches {
  readonly merge: NodeDef;
  readonly nodes: readonly NodeDef[];
  readonly functions: readonly FunctionDef[];
}
/** A Merge as an If; undefined where another Merge comes before it, or its condition cannot be told. */
function branchesOf(merge: NodeDef, readers: Readers, tag: string): Branches | undefined {
  const inputs = dataOf(merge);
  if (inputs.length !== 2) return undefined;
  const cones = inputs.map(i => coneOf(i, readers));
  const [a, b] = cones;
  if (!a || !b || [...a.nodes, ...b.nodes].some(n => MERGE.test(n.op))) return undefined;
  const pred = conditionOf([...a.met, ...a.controls], [...b.met, ...b.controls]);
  if (!pred) return undefined;
  // Values that the branches take: what is switched, or, of other conditions, the switched value itself.
  const taken = new Map<string, string>();
  const argumentOf = (outside: string): string => {
    const known = taken.get(outside) ?? argument(taken.size);
    taken.set(outside, known);
    return known;
  };
  const inside = (text: string): string => {
    if (isControl(text)) return text;
    const n = readers.byName.get(splitRef(text)[0]);
    // Arguments of the function around are none of its nodes.
    if (!n || isInput(n)) return argumentOf(text);
    if (!SWITCH.test(n.op)) return text;
    const [data = '', condition] = dataOf(n);
    return argumentOf(condition === pred.condition ? data : text);
  };
  const functions = cones.map((c, k) => {
    const body = [...must(c).nodes].map(n => ({ ...n, input: n.input.map(inside) }));
    return { body, result: inside(must(inputs[k])), name: `${tag}${merge.name} ${k}` };
  });
  const [then, other] = pred.first === 1 ? functions : [...functions].reverse();
  const name = `${merge.name} if`;
  return {
    merge,
    functions: functions.map(f => functionDef(f.name, taken.size, f.body, [f.result])),
    nodes: [
      {
        name,
        op: 'If',
        input: [pred.condition, ...taken.keys()],
        attr: [
          { key: 'then_branch', value: named(must(then).name) },
          { key: 'else_branch', value: named(must(other).name) },
        ],
      },
      { name: merge.name, op: 'Identity', input: [name], attr: [] },
    ],
  };
}
const isInput = (n: NodeDef): boolean => n.op.startsWith('Placeholder');
/** What a value is computed from, as far as the Switches before it. */
function coneOf(text: string, readers: Readers) {
  const met: Met[] = [];
  const source = (i: string): NodeDef[] => {
    const [name, , index] = splitRef(i);
    const n = readers.byName.get(name);
    if (!n || isInput(n)) return [];
    if (!SWITCH.test(n.op)) return [n];
    met.push({ node: n, side: index === 1 ? 1 : 0 });
    return [];
  };
  const nodes = closure(source(text), n => dataOf(n).flatMap(source));
  // A constant waits for a value of its side.
  const controls = [...nodes].flatMap(n =>
    n.input.filter(isControl).flatMap((i): Met[] => {
      const pivot = readers.byName.get(i.slice(1));
      const [from = ''] = pivot?.op === 'Identity' ? dataOf(pivot) : [];
      const [name, , index] = splitRef(from);
      const s = readers.byName.get(name);
      return s && SWITCH.test(s.op) ? [{ node: s, side: index === 1 ? 1 : 0 }] : [];
    }),
  );
  return { nodes, met, controls };
}
/** The condition whose sides two values are on, and the side of the first. */
function conditionOf(a: readonly Met[], b: readonly Met[]): { readonly condition: string; readonly first: 0 | 1 } | undefined {
  const sides = (list: readonly Met[]): Map<string, 0 | 1> => new Map(list.map(m => [dataOf(m.node)[1] ?? '', m.side]));
  const [p, q] = [sides(a), sides(b)];
  for (const [condition, side] of p) if (q.has(condition) && q.get(condition) !== side) return { condition, first: side };
  // One of them may be a constant that waits for nothing.
  const [own] = p;
  if (own && q.size === 0) return { condition: own[0], first: own[1] };
  const [others] = q;
  return others && p.size === 0 ? { condition: others[0], first: others[1] === 1 ? 0 : 1 } : undefined;
}
