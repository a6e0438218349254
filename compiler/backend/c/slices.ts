import type { Expr, Kernel, Stmt, VType } from '../../kernel/ir.ts';
import { costOf, numberOf } from '../../kernel/passes/cost.ts';
import { walk } from '../../kernel/passes/rewrite.ts';
import { showC, type Scope } from './expr.ts';
import { elementType, identifier } from './types.ts';

/** Nanoseconds that a loop must take to be worth a thread: as in runtimes/c/pool.c, which decides where sizes are known late. */
const WORTH_WAKING = 10_000;

type For = Extract<Stmt, { k: 'for' }>;
/** A function that runs a part of a loop, and the statements that have all of it run by the pool. */
export interface Sliced {
  readonly function: string;
  readonly call: readonly string[];
}
/** Something that a slice is given: its name in the kernel, and its type in C. `scratch`: of memory that each thread has once, the first thread's. */
export interface Captured {
  readonly name: string;
  readonly type: string;
  readonly scratch?: boolean;
}
/**
 * The function `name` over iterations `v` of a loop, whose body is `lines`, and the call of it. Of `visible` it is given what the body
 * names.
 */
export function slicedLoop(o: {
  readonly name: string;
  readonly v: string;
  readonly lines: readonly string[];
  readonly visible: readonly Captured[];
  readonly count: string;
  readonly cost: string;
}): Sliced {
  const { name, v, lines } = o;
  const text = lines.join('\n');
  const given = o.visible.map(c => ({ ...c, name: identifier(c.name) })).filter(c => new RegExp(`\\b${c.name}\\b`).test(text));
  const space = (type: string): string => (type.endsWith('*') ? type : `${type} `);
  const struct = `${name}_args`;
  const own = given.some(c => c.scratch);
  const head = [
    ...(given.length > 0 ? [`typedef struct { ${given.map(c => `${space(c.type)}${c.name};`).join(' ')} } ${struct};`] : []),
    `static void ${name}(const void *args_, int32_t begin, int32_t end, int32_t thread) {`,
    ...(given.length > 0 ? [`  const ${struct} *const shared_ = args_;`] : ['  (void)args_;']),
    ...given.map(c => {
      const { type } = c;
      if (!c.scratch) return `  ${space(type)}const ${c.name} = shared_->${c.name};`;
      return `  ${space(type)}const ${c.name} = (${type})(void *)((char *)shared_->${c.name} + (size_t)thread * THREAD_BYTES);`;
    }),
    ...(own ? [] : ['  (void)thread;']),
    `  for (int32_t ${v} = begin; ${v} < end; ${v}++) {`,
  ];
  const args = given.length > 0 ? '&shared_' : 'NULL';
  const run = `run_slices(pool, ${name}, ${args}, ${o.count}, ${o.cost});`;
  return {
    function: [...head, ...lines, '  }', '}'].join('\n'),
    call:
      given.length > 0 ? ['{', `  const ${struct} shared_ = {${given.map(c => c.name).join(', ')}};`, `  ${run}`, '}'] : [run],
  };
}

/** The cost of an iteration as C; undefined where all of the loop is known not to be worth a thread. */
export function sliceCost(s: For, x: Scope): string | undefined {
  const inside = definedIn(s);
  const cost = costOf(s.body, new Set([...x.places].filter(name => !inside.has(name))));
  const [each, count] = [numberOf(cost), numberOf(s.hi)];
  return each !== undefined && count !== undefined && each * count < WORTH_WAKING ? undefined : costText(cost, x);
}
/** Digits enough for an estimate. */
function costText(e: Expr, x: Scope): string {
  const value = numberOf(e);
  if (value !== undefined) {
    const text = String(Number(value.toPrecision(2)));
    return `${/[.e]/.test(text) ? text : `${text}.0`}f`;
  }
  if (e.k !== 'bin') return showC(e, x);
  const [a, b] = [costText(e.a, x), costText(e.b, x)];
  return e.op === 'add' ? `(${a} + ${b})` : `${a} * ${b}`;
}

/** What the loops of a kernel may see: its parameters and its variables. */
export function visibleIn(kernel: Kernel, type: (t: VType) => string): Captured[] {
  const out = kernel.params.map((p): Captured => {
    const { name } = p;
    if (p.k === 'int') return { name, type: 'int32_t' };
    return { name, type: `${p.access === 'read' ? 'const ' : ''}${elementType(p.dtype)} *`, ...(p.scratch && { scratch: true }) };
  });
  walk(kernel.body, s => {
    if (s.k === 'let') out.push({ name: s.name, type: type(s.value.t) });
    else if (s.k === 'for') out.push({ name: s.v, type: 'int32_t' });
  });
  return out;
}
/** The names that a loop defines itself. */
export function definedIn(s: For): ReadonlySet<string> {
  const out = new Set([s.v]);
  walk(s.body, t => {
    if (t.k === 'let') out.add(t.name);
    else if (t.k === 'for') out.add(t.v);
  });
  return out;
}
