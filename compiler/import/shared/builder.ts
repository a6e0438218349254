import { fail, opOf, type Loc, type Warning } from '../../core/diagnostic.ts';
import { dimEq, dimsNeverEqual, staticDims, symbol, type Dim } from '../../core/dim.ts';
import { relisted, textList, textTensor, type TextList } from '../../core/texts.ts';
import { newRoom, type Room } from '../../core/room.ts';
import { graphBuilder, type GraphBuilder } from '../../graph/build.ts';
import { symbolicOf, type Node, type Value } from '../../graph/graph.ts';
import { Guarded } from '../../ops/movement/shape.ts';
import { DequantizeLinear } from '../../ops/quant/quant.ts';
import { symbolName } from './dims.ts';
import { Poisoned, Unsupported } from './unsupported.ts';

/** What is shared by everything that is imported from one model. */
export interface ImportSession {
  /** The file's name, for messages. */
  readonly file: string;
  readonly warnings: Warning[];
  /** The names of the classes, where the model has them. */
  labels?: readonly string[];
  /** The texts of its constants. */
  readonly texts: TextList;
  /** What could not be imported, in the order it was met. */
  readonly unsupported: Unsupported[];
  /** Names of symbols in use. */
  readonly symbols: Set<string>;
  /** Nodes that may still be made: what functions and loops can blow a small file up to. */
  budget: number;
  /** Elements of constants and lists that are not in the file as they are. */
  readonly room: Room;
  /** Bytes that constants may still be made of which are computed at once. */
  eager: number;
  /** The largest size of an axis that only data tell, and whether one was asked for: see `unbounded`. */
  readonly open: { most: number; asked: boolean };
}
/** Functions and loops may unfold a file to this many nodes, and to some times the nodes that it has. */
const BUDGET = { least: 30_000, times: 20 };
/** Bytes of all results that are computed at once: more of them stay nodes. */
const EAGER_IN_ALL = 2 ** 27;
export const importSession = (file: string, nodes: number, most = OPEN): ImportSession => ({
  file,
  warnings: [],
  texts: textList(),
  unsupported: [],
  symbols: new Set(),
  budget: BUDGET.least + BUDGET.times * nodes,
  room: newRoom(),
  eager: EAGER_IN_ALL,
  open: { most, asked: false },
});
/** Sizes that only data tell are at most this, where nothing bounds them. */
const OPEN = 65536;
/** Takes one node off the budget. E202 where nothing is left. */
export function spend(s: ImportSession, loc: Loc): void {
  if (--s.budget < 0) fail('E202', { file: s.file, why: 'its functions and loops unfold to far too many operators' }, loc);
}
/** Runs the import of one node. What is not supported is collected, and then it gives undefined. */
export function collecting<T>(s: ImportSession, run: () => T): T | undefined {
  try {
    return run();
  } catch (e) {
    if (!(e instanceof Poisoned) && !(e instanceof Unsupported)) throw e;
    if (e instanceof Unsupported) s.unsupported.push(e);
    return undefined;
  }
}

/** What the importers of operators build with. One serves many nodes of a file, one after the other. */
export interface ImportBuilder extends GraphBuilder {
  /** The contents of a small integer or bool value as dimensions. E101 where they come out only when the model runs. */
  dimsIn(v: Value, what: string): readonly Dim[];
  /** The contents, which must not depend on any symbol either (E101). */
  intsIn(v: Value, what: string): readonly number[];
  /**
   * Two sizes must be equal when the model runs; else the run stops with `what`. The results of the node that is being imported wait for it.
   * E102: they never are.
   */
  expect(a: Dim, b: Dim, what: string): void;
  /** A function that makes values wait for all that was expected since it was asked for last. */
  waiting(): (v: Value) => Value;
  /** A symbol of its own for a size that comes out when the model runs; lo and hi are inclusive. Give it to an op that `defines` it. */
  symbol(hint: string, lo: number, hi: number): Dim;
  /** The largest size that is taken for one axis which only data tell. */
  open(): number;
  /** The texts of constants, which are their places in it. */
  readonly textList: TextList;
  /** A constant of texts. */
  texts(values: readonly string[], dims?: readonly number[]): Value;
  /** The names of the classes that an output counts, where they are text: they go beside the model. The first ones told are kept. */
  labels(names: readonly string[]): void;
  /** Asks before a list or a constant of so many elements is made that a number in the file sizes: E102 where there is no room for it. */
  room(elements: number, what: string): void;
  /** Something that the user should know. `code` is a short word such as 'precision'. */
  warn(code: string, message: string): void;
  /** The node is wrong: E102. */
  reject(why: string): never;
  /** The node is right, and Sinter cannot do it (yet): E101. Collected, so that the user sees all of them at once. */
  unsupported(why: string): never;
}
/** Results of constants up to this many bytes are computed at once. */
const EAGER = 32768;
/** Weights that are dequantized stay so: a pass may want the integers. */
const keep = (n: Node): boolean => n.op === DequantizeLinear && (n.outputs[0]?.type.shape.length ?? 0) > 1;

/** A builder whose nodes come from where `at` says, which the importer moves from node to node. */
export function importBuilder(s: ImportSession, at: { readonly loc: Loc }, symbolDefinitions: Value[]): ImportBuilder {
  const unsupported = (why: string): never => {
    throw new Unsupported(opOf(at.loc), why, at.loc);
  };
  const reject = (why: string): never => fail('E102', { op: opOf(at.loc), why }, at.loc);
  const eager = { limit: () => Math.min(EAGER, s.eager), keep, spend: (bytes: number) => void (s.eager -= bytes) };
  const dimsIn: ImportBuilder['dimsIn'] = (v, what) =>
    symbolicOf(v) ?? unsupported(`its ${what} is computed when the model runs; it must be a constant or follow from sizes`);
  const made = graphBuilder(at, { spend: () => spend(s, at.loc), eager, symbolDefinitions });
  let expected: { readonly a: Dim; readonly b: Dim; readonly what: string }[] = [];
  return {
    ...made,
    expect: (a, b, what) => {
      if (dimsNeverEqual(a, b)) fail('E102', { op: opOf(at.loc), why: what }, at.loc);
      if (!dimEq(a, b)) expected.push({ a, b, what });
    },
    waiting: () => {
      const checks = expected;
      expected = [];
      return v => checks.reduce((x, { a, b, what }) => made.apply1(Guarded, [x], { a: [a], b: [b], what }), v);
    },
    dimsIn,
    intsIn: (v, what) => staticDims(dimsIn(v, what)) ?? unsupported(`its ${what} depends on a free dimension; fix it with --dim`),
    symbol: (hint, lo, hi) => {
      const base = symbolName(hint === '' ? 'n' : hint);
      let name = base;
      for (let i = 1; s.symbols.has(name); i++) name = `${base}.${i}`;
      s.symbols.add(name);
      return symbol(name, lo, hi);
    },
    open: () => {
      s.open.asked = true;
      return s.open.most;
    },
    constant: (t, name) => made.constant(relisted(t, s.texts), name),
    textList: s.texts,
    texts: (values, dims = [values.length]) => made.constant(textTensor(dims, values, s.texts)),
    labels: names => void (s.labels ??= names),
    warn: (code, message) => void s.warnings.push({ code, message, loc: at.loc }),
    room: (elements, what) => s.room.take(elements, what, reject),
    reject,
    unsupported,
  };
}

/**
 * The contexts of scopes, which `make` makes once for each; they are moved from node to node, for there are many, and one of a scope is
 * imported at a time.
 */
export function contexts<S extends object, P extends { readonly loc: Loc }, C extends ImportBuilder>(
  make: (s: S, at: P) => C,
): (s: S, at: P) => C {
  const made = new WeakMap<S, { readonly at: P; readonly ctx: C }>();
  return (s, place) => {
    const had = made.get(s);
    if (had) {
      Object.assign(had.at, place);
      // What a node that failed expected is of no use to the next.
      had.ctx.waiting();
      return had.ctx;
    }
    const at = { ...place };
    const ctx = make(s, at);
    made.set(s, { at, ctx });
    return ctx;
  };
}
