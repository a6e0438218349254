import type { AttrValue, Entry, FunctionDef, NodeDef } from './records.ts';
import { isControl, splitRef } from './refs.ts';

/** A list of nodes and the functions that its nodes name. */
export interface Program {
  readonly nodes: readonly NodeDef[];
  readonly functions: readonly FunctionDef[];
}
/** A list of nodes with who reads whom. */
export interface Readers {
  readonly byName: ReadonlyMap<string, NodeDef>;
  /** The nodes that read a value of a node. */
  readonly of: ReadonlyMap<string, readonly NodeDef[]>;
}
export function readersOf(nodes: readonly NodeDef[]): Readers {
  const of = new Map<string, NodeDef[]>();
  for (const n of nodes)
    for (const i of n.input) {
      if (isControl(i)) continue;
      const [from] = splitRef(i);
      const list = of.get(from);
      if (list) list.push(n);
      else of.set(from, [n]);
    }
  return { byName: new Map(nodes.map(n => [n.name, n])), of };
}
/** All nodes that some depend on, or that depend on them: by `next`, without what it does not give. */
export function closure(from: Iterable<NodeDef>, next: (n: NodeDef) => Iterable<NodeDef>): Set<NodeDef> {
  const all = new Set(from);
  for (const n of all) for (const m of next(n)) all.add(m);
  return all;
}
export const dataOf = (n: NodeDef): readonly string[] => n.input.filter(i => !isControl(i));
const attrOf = (n: NodeDef, key: string): AttrValue | undefined => n.attr.find(a => a.key === key)?.value;
export const named = (name: string): Entry<AttrValue>['value'] => ({ func: { name } });
/** Names of arguments, which no node can have. */
export const argument = (i: number): string => `argument ${i}`;
/** A function of so many arguments that gives some values of its nodes. */
export const functionDef = (name: string, args: number, nodes: readonly NodeDef[], results: readonly string[]): FunctionDef => ({
  signature: {
    name,
    inputArg: Array.from({ length: args }, (_, i) => ({ name: argument(i), type: 0 })),
    outputArg: results.map((_, i) => ({ name: `result ${i}`, type: 0 })),
  },
  nodes,
  ret: results.map((value, i) => ({ key: `result ${i}`, value })),
  controlRet: [],
});

/** A loop as TensorFlow 1 has it: everything between the Enter nodes of one name and the Exit nodes behind them. */
interface Frame {
  readonly name: string;
  readonly enters: readonly NodeDef[];
  /** Everything inside, the nodes of the loop itself too. */
  readonly members: ReadonlySet<NodeDef>;
  readonly variables: readonly Variable[];
  readonly constants: readonly NodeDef[];
  readonly condition: NodeDef;
}
/** A value that an iteration gives to the next. */
interface Variable {
  readonly enter: NodeDef;
  readonly merge: NodeDef;
  readonly next: NodeDef;
  readonly switches: readonly NodeDef[];
  readonly exits: readonly NodeDef[];
}
const ENTER = /^(?:Ref)?Enter$/;
const MERGE = /^(?:Ref)?Merge$/;
const NEXT = /^(?:Ref)?NextIteration$/;
const EXIT = /^(?:Ref)?Exit$/;
export const SWITCH = /^(?:Ref)?Switch$/;
/** More loops than this are left as they are. */
const MOST = 1000;

/**
 * Loops of the first generation as those of the second: Enter → Merge(Enter, NextIteration) → Switch(·, LoopCond) → Exit or the body become
 * one While with functions for its condition and its body. Loops of another form stay as they are.
 */
export function withoutFrames(p: Program): Program {
  const names = new Set(p.nodes.flatMap(n => (ENTER.test(n.op) ? [frameOf(n)] : [])));
  if (names.size === 0 || names.size > MOST) return p;
  let now = p;
  // Inner ones first: what they become is part of the body around them.
  for (let left = names.size; left > 0; left--) {
    const readers = readersOf(now.nodes);
    const frames = [...new Set(now.nodes.flatMap(n => (ENTER.test(n.op) ? [frameOf(n)] : [])))];
    const inner = frames.map(f => frameIn(now.nodes, readers, f)).find(f => f && isInner(f));
    if (!inner) break;
    now = replaced(now, inner, readers);
  }
  return now;
}
const frameOf = (n: NodeDef): string => attrOf(n, 'frame_name')?.s ?? '';
const isInner = (f: Frame): boolean => [...f.members].every(n => !ENTER.test(n.op) || frameOf(n) === f.name);

function frameIn(nodes: readonly NodeDef[], readers: Readers, name: string): Frame | undefined {
  const enters = nodes.filter(n => ENTER.test(n.op) && frameOf(n) === name);
  const read = (n: NodeDef): readonly NodeDef[] => readers.of.get(n.name) ?? [];
  const source = (text: string | undefined): NodeDef | undefined =>
    text === undefined ? undefined : readers.byName.get(splitRef(text)[0]);
  const variables = enters.flatMap((enter): Variable[] =>
    read(enter)
      .filter(n => MERGE.test(n.op))
      .flatMap(merge => {
        const next = dataOf(merge)
          .map(source)
          .find(n => n !== undefined && NEXT.test(n.op));
        if (!next) return [];
        const switches = read(merge).filter(n => SWITCH.test(n.op) && source(n.input[1])?.op === 'LoopCond');
        const exits = switches.flatMap(s => read(s).filter(n => EXIT.test(n.op)));
        return [{ enter, merge, next, switches, exits }];
      }),
  );
  const conditions = new Set(variables.flatMap(v => v.switches.map(s => source(s.input[1]))));
  const [condition] = conditions;
  if (!condition || conditions.size !== 1) return undefined;
  const ends = new Set(variables.flatMap(v => v.exits));
  const members = closure(enters, n => read(n).filter(r => !ends.has(r)));
  const constants = enters.filter(n => !variables.some(v => v.enter === n));
  return { name, enters, members, variables, constants, condition };
}
/** The nodes with a While in the place of a frame. */
function replaced(p: Program, f: Frame, readers: Readers): Program {
  // Names of values inside the frame that are arguments.
  const places = new Map<string, number>();
  f.variables.forEach((v, i) => {
    places.set(v.merge.name, i);
    for (const s of v.switches) places.set(s.name, i);
  });
  f.constants.forEach((n, i) => places.set(n.name, f.variables.length + i));
  const inside = (text: string): string => {
    if (isControl(text)) return text;
    const at = places.get(splitRef(text)[0]);
    return at === undefined ? text : argument(at);
  };
  const ownOps = new Set([...f.enters, f.condition, ...f.variables.flatMap(v => [v.merge, v.next, ...v.switches])]);
  const roots = [f.condition, ...f.variables.map(v => v.next)].flatMap(n => dataOf(n));
  const sources = (n: NodeDef): NodeDef[] =>
    ownOps.has(n) ? [] : dataOf(n).flatMap(i => readers.byName.get(splitRef(i)[0]) ?? []);
  const needed = closure(
    roots.flatMap(i => readers.byName.get(splitRef(i)[0]) ?? []),
    sources,
  );
  // What does not depend on the loop is computed inside of it, from constants.
  const body = [...new Set([...f.members, ...needed])]
    .filter(n => !ownOps.has(n))
    .map(n => ({ ...n, input: n.input.map(inside) }));
  const count = f.variables.length + f.constants.length;
  const first = (n: NodeDef): string => inside(dataOf(n)[0] ?? '');
  const [cond, step] = [`${f.name} condition`, `${f.name} body`];
  const kept = f.constants.map((_, i) => argument(f.variables.length + i));
  const loop: NodeDef = {
    name: `${f.name} loop`,
    op: 'While',
    input: [...f.variables.map(v => v.enter), ...f.constants].map(n => dataOf(n)[0] ?? ''),
    attr: [
      { key: 'cond', value: named(cond) },
      { key: 'body', value: named(step) },
    ],
  };
  const exits = f.variables.flatMap((v, i) =>
    v.exits.map((n): NodeDef => ({ name: n.name, op: 'Identity', input: [`${loop.name}:${i}`], attr: [] })),
  );
  const ended = new Set(f.variables.flatMap(v => v.exits));
  const rest = p.nodes.filter(n => !f.members.has(n) && !ended.has(n));
  return {
    nodes: [...stillRead(rest, [loop, ...exits], needed, readers), loop, ...exits],
    functions: [
      ...p.functions,
      functionDef(cond, count, body, [first(f.condition)]),
      functionDef(step, count, body, [...f.variables.map(v => first(v.next)), ...kept]),
    ],
  };
}
/** Nodes without those of `copied` that nothing reads now: they went to the body. */
function stillRead(
  nodes: readonly NodeDef[],
  more: readonly NodeDef[],
  copied: ReadonlySet<NodeDef>,
  readers: Readers,
): readonly NodeDef[] {
  const read = closure([...nodes.filter(n => !copied.has(n)), ...more], n =>
    dataOf(n).flatMap(i => readers.byName.get(splitRef(i)[0]) ?? []),
  );
  return nodes.filter(n => read.has(n));
}
