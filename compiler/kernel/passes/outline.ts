import { constOf, I32, int, type CallArg, type Expr, type Kernel, type Param, type Stmt, type VType } from '../ir.ts';
import { costOf, numberOf } from './cost.ts';
import { freshNames } from './names.ts';
import { placesOf } from './places.ts';
import { exprsOf, mapStmt, walk, walkExpr } from './rewrite.ts';

/** Nanoseconds that a loop must take to be worth a thread: as in runtimes/c/pool.c, which decides where sizes are known late. */
const WORTH_WAKING = 10_000;

type For = Extract<Stmt, { k: 'for' }>;

/**
 * Makes a kernel with a range of each parallel loop, whose parameters are what the loop reads of its surroundings, and a parallel call of the
 * loop. A loop that is known not to be worth a thread stays. Gives the new kernels, and last the one that calls them. `name` makes names
 * that no kernel has.
 */
export function outline(kernel: Kernel, name: (of: string) => string): readonly Kernel[] {
  const places = placesOf(kernel);
  const parts: Kernel[] = [];
  const block = (body: readonly Stmt[]): readonly Stmt[] => {
    const out = body.map(s => (s.k === 'for' && s.parallel && counts(s) ? outlined(s) : mapStmt(s, e => e, block)));
    return out.every((s, i) => s === body[i]) ? body : out;
  };
  const outlined = (s: For): Stmt => {
    const inside = definedIn(s);
    const cost = costOf(s.body, new Set([...places].filter(v => !inside.has(v))));
    const [each, count] = [numberOf(cost), numberOf(s.hi)];
    if (each !== undefined && count !== undefined && each * count < WORTH_WAKING) return s;
    const used = namesIn(s);
    const captured = visibleIn(kernel, places).filter(p => used.has(p.name) && !inside.has(p.name));
    const part = rangeKernel(kernel, s, captured, name(kernel.name));
    parts.push(part);
    return { k: 'call', kernel: part, args: captured.map(argOf), over: { count: s.hi, cost } };
  };
  const body = block(kernel.body);
  return body === kernel.body ? [kernel] : [...parts, { ...kernel, body }];
}
/** Whether a loop counts from 0 by 1, as `slices` leaves those that shall be shared. */
const counts = (s: For): boolean => constOf(s.lo) === 0 && s.step === 1;

function rangeKernel(of: Kernel, s: For, params: readonly Param[], name: string): Kernel {
  const [begin, end] = [freshNames(of, 'begin')(), freshNames(of, 'end')()];
  const [lo, hi] = [begin, end].map((v): Expr => ({ k: 'var', t: I32, name: v }));
  const body: Stmt = { ...s, lo: lo ?? s.lo, hi: hi ?? s.hi, parallel: false };
  return { name, range: { begin, end }, params, body: [body], loc: of.loc };
}
const argOf = (p: Param): CallArg => {
  switch (p.k) {
    case 'buf':
      return { k: 'buf', buf: p.name, at: int(0) };
    case 'int':
      return { k: 'value', value: { k: 'var', t: I32, name: p.name } };
    case 'value':
      return { k: 'value', value: { k: 'var', t: p.t, name: p.name } };
  }
};
/** What the loops of a kernel may see, as parameters: its own ones and its variables. */
function visibleIn(kernel: Kernel, places: ReadonlySet<string>): Param[] {
  const out = [...kernel.params];
  const add = (name: string, t: VType): void => void out.push(places.has(name) ? { k: 'int', name } : { k: 'value', name, t });
  walk(kernel.body, s => {
    if (s.k === 'let') add(s.name, s.value.t);
    else if (s.k === 'for') add(s.v, I32);
  });
  return out;
}
/** The names that a loop defines itself. */
function definedIn(s: For): ReadonlySet<string> {
  const out = new Set([s.v]);
  walk(s.body, t => {
    if (t.k === 'let') out.add(t.name);
    else if (t.k === 'for') out.add(t.v);
  });
  return out;
}
/** The variables and buffers that the body of a loop names. */
function namesIn(s: For): ReadonlySet<string> {
  const out = new Set<string>();
  walk(s.body, t => {
    for (const e of exprsOf(t))
      walkExpr(e, x => {
        if (x.k === 'var') out.add(x.name);
        else if (x.k === 'load' || x.k === 'addr') out.add(x.buf);
      });
    for (const buf of buffersOf(t)) out.add(buf);
  });
  return out;
}
/** The buffers that a statement itself touches beside its expressions. */
function buffersOf(s: Stmt): readonly string[] {
  switch (s.k) {
    case 'store':
    case 'prefetch':
      return [s.buf];
    case 'mma':
      return [s.a.buf, s.b.buf, s.to.buf];
    case 'call':
      return s.args.flatMap(a => (a.k === 'buf' ? [a.buf] : []));
    case 'let':
    case 'set':
    case 'if':
    case 'while':
    case 'for':
      return [];
  }
}
