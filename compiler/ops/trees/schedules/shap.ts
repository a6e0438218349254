/**
 * TreeSHAP (Lundberg et al., Consistent Individualized Feature Attribution for Tree Ensembles, 2018, algorithm 2), with a stack instead of
 * recursion. A path holds for each feature on the way how much of the data goes this way without it (`zero`) and with it (`one`).
 * ```
 * for row: for tree:
 *   push root
 *   while the stack is not empty:
 *     pop a node; copy the path above it; extend(path, the step that led here)
 *     leaf: for step of the path: phi[feature] += unwoundSum(path, step) * (one - zero) * value
 *     node: unwind the feature if the path has it; push the cold child, then the hot one
 *   sums[group] += phi * weight                         without `running`
 * y[row] = epilogue(sums + base)
 * ```
 * All scalar and in order: each operation rounds as XGBoost's does.
 */
import { must } from '../../../core/diagnostic.ts';
import { dimMul } from '../../../core/dim.ts';
import type { Tensor } from '../../../core/tensor.ts';
import type { KernelBuilder } from '../../../kernel/builder.ts';
import { add, cast, div, eq, gt, int, konst, le, lt, mul, ne, select, sub, vtype, type Expr } from '../../../kernel/ir.ts';
import type { LowerCtx, SlotBuffer } from '../../lowering.ts';
import { readTables, treeDepths, type CategoryRules } from '../tables.ts';
import { walker } from './walk.ts';

/** Memory of the steps above a node: elements `at` to `at + n - 1` of these are one path. */
interface Paths {
  readonly feature: SlotBuffer;
  readonly zero: SlotBuffer;
  readonly one: SlotBuffer;
  readonly weight: SlotBuffer;
}
/** Nodes still to be visited, with the path above them. */
interface Stack {
  readonly code: SlotBuffer;
  readonly at: SlotBuffer;
  readonly steps: SlotBuffer;
  readonly feature: SlotBuffer;
  readonly zero: SlotBuffer;
  readonly one: SlotBuffer;
}

/** TreeSHAP with a stack of its own. Each level of the tree has its copy of the path, as deep levels come back to it. */
export function shapByStack(c: LowerCtx<CategoryRules & { readonly running: boolean }>): void {
  const walk = walker(c);
  const [feature, left, right] = [c.contiguous(1), c.contiguous(3), c.contiguous(4)];
  const [values, root, group, base] = [c.contiguous(6), c.contiguous(7), c.contiguous(8), c.contiguous(9)];
  const [nodeCover, leafCover, mean, weight] = [c.contiguous(13), c.contiguous(14), c.contiguous(15), c.contiguous(16)];
  const out = c.sink(0);
  const [batch, groups, columns] = [must(out.dims[0]), must(out.dims[1]), must(out.dims[2])];
  const dtype = out.dtype === 'f64' ? 'f64' : 'f32';
  const t = vtype(dtype);
  const trees = must(root.dims[0]);
  const most = deepest(c) + 2;
  const room = (most * (most + 1)) / 2;
  const paths: Paths = {
    feature: c.temp('path_feature', 'i32', room),
    zero: c.temp('path_zero', dtype, room),
    one: c.temp('path_one', dtype, room),
    weight: c.temp('path_weight', dtype, room),
  };
  const stack: Stack = {
    code: c.temp('todo_code', 'i32', most),
    at: c.temp('todo_at', 'i32', most),
    steps: c.temp('todo_steps', 'i32', most),
    feature: c.temp('todo_feature', 'i32', most),
    zero: c.temp('todo_zero', dtype, most),
    one: c.temp('todo_one', dtype, most),
  };
  const { running } = c.attrs;
  const sums = c.temp('sums', dtype, dimMul(groups, columns));
  const phi = running ? sums : c.temp('phi', dtype, columns);
  c.kernel('tree_shap', k => {
    const zero = konst(t, 0);
    const real = (e: Expr): Expr => cast(t, e);
    const push = (sp: Expr, code: Expr, at: Expr, steps: Expr, f: Expr, z: Expr, o: Expr): void => {
      k.store(stack.code, sp, code);
      k.store(stack.at, sp, at);
      k.store(stack.steps, sp, steps);
      k.store(stack.feature, sp, f);
      k.store(stack.zero, sp, z);
      k.store(stack.one, sp, o);
      k.set(sp, add(sp, 1));
    };
    // `to`: where the columns of the tree's sums start in `phi`.
    const visit = (row: Expr, sp: Expr, to: Expr): void => {
      k.set(sp, sub(sp, 1));
      const code = k.let(k.load(stack.code, sp));
      const above = k.let(k.load(stack.at, sp));
      // Steps above this node; after `extend`, the path at `at` has steps + 1 of them.
      const steps = k.var(k.load(stack.steps, sp));
      const at = k.let(add(above, steps));
      k.for(0, steps, i => {
        k.store(paths.feature, add(at, i), k.load(paths.feature, add(above, i)));
        k.store(paths.zero, add(at, i), k.load(paths.zero, add(above, i)));
        k.store(paths.one, add(at, i), k.load(paths.one, add(above, i)));
        k.store(paths.weight, add(at, i), k.load(paths.weight, add(above, i)));
      });
      extend(
        k,
        paths,
        at,
        steps,
        k.let(k.load(stack.feature, sp)),
        k.let(k.load(stack.zero, sp)),
        k.let(k.load(stack.one, sp)),
        real,
      );
      k.if(
        lt(code, 0),
        () => {
          const leaf = k.let(k.load(values.buffer, sub(-1, code)));
          k.for(1, add(steps, 1), i => {
            const w = unwoundSum(k, paths, at, steps, i, real, zero);
            const f = k.let(add(to, k.load(paths.feature, add(at, i))));
            const span = sub(k.load(paths.one, add(at, i)), k.load(paths.zero, add(at, i)));
            k.store(phi, f, add(k.load(phi, f), mul(mul(w, span), leaf)));
          });
        },
        () => {
          const f = k.let(k.load(feature.buffer, code));
          const z = k.var(konst(t, 1));
          const o = k.var(konst(t, 1));
          const known = k.var(int(1));
          k.while(
            () => select(le(known, steps), ne(k.load(paths.feature, add(at, known)), f), int(0)),
            () => k.set(known, add(known, 1)),
          );
          k.if(le(known, steps), () => {
            k.set(z, k.load(paths.zero, add(at, known)));
            k.set(o, k.load(paths.one, add(at, known)));
            unwind(k, paths, at, steps, known, real);
            k.set(steps, sub(steps, 1));
          });
          const l = k.let(walk.goesLeft(k, row, code));
          const [a, b] = [k.let(k.load(left.buffer, code)), k.let(k.load(right.buffer, code))];
          const whole = k.let(k.load(nodeCover.buffer, code));
          const cover = (child: Expr): Expr => {
            const v = k.var(zero);
            k.if(
              lt(child, 0),
              () => k.set(v, k.load(leafCover.buffer, sub(-1, child))),
              () => k.set(v, k.load(nodeCover.buffer, child)),
            );
            return mul(div(v, whole), z);
          };
          const [hot, cold] = [k.let(select(l, a, b)), k.let(select(l, b, a))];
          const next = k.let(add(steps, 1));
          push(sp, cold, at, next, f, k.let(cover(cold)), zero);
          push(sp, hot, at, next, f, k.let(cover(hot)), o);
        },
      );
    };
    k.for(0, batch, row => {
      k.for(0, dimMul(groups, columns), i => k.store(sums, i, zero));
      k.for(0, trees, tree => {
        const to = k.let(mul(k.load(group.buffer, tree), k.dim(columns)));
        const own = running ? to : int(0);
        const last = k.let(add(own, sub(k.dim(columns), 1)));
        if (!running) k.for(0, columns, i => k.store(phi, i, zero));
        k.store(phi, last, add(k.load(phi, last), k.load(mean.buffer, tree)));
        const sp = k.var(int(0));
        push(sp, k.load(root.buffer, tree), int(0), int(0), int(-1), konst(t, 1), konst(t, 1));
        k.while(
          () => gt(sp, 0),
          () => visit(row, sp, own),
        );
        if (running) return;
        const w = k.let(k.load(weight.buffer, tree));
        k.for(0, columns, i => k.store(sums, add(to, i), add(k.load(sums, add(to, i)), mul(k.load(phi, i), w))));
      });
      k.for(0, groups, g =>
        k.for(0, columns, i => {
          const s = k.let(k.load(sums, add(mul(g, k.dim(columns)), i)));
          const last = eq(i, sub(k.dim(columns), 1));
          out.store(k, [row, g, i], select(last, add(s, k.load(base.buffer, g)), s));
        }),
      );
    });
  });
}
/** Adds a step to the path of `steps` steps at `at`. */
function extend(
  k: KernelBuilder,
  p: Paths,
  at: Expr,
  steps: Expr,
  feature: Expr,
  zero: Expr,
  one: Expr,
  real: (e: Expr) => Expr,
): void {
  const end = k.let(add(at, steps));
  k.store(p.feature, end, feature);
  k.store(p.zero, end, zero);
  k.store(p.one, end, one);
  k.store(p.weight, end, select(eq(steps, 0), konst(zero.t, 1), konst(zero.t, 0)));
  const all = k.let(real(add(steps, 1)));
  k.for(0, steps, j => {
    const i = k.let(sub(sub(steps, 1), j));
    const here = k.let(add(at, i));
    const w = k.let(k.load(p.weight, here));
    const up = div(mul(mul(one, w), real(add(i, 1))), all);
    k.store(p.weight, add(here, 1), add(k.load(p.weight, add(here, 1)), up));
    k.store(p.weight, here, div(mul(mul(zero, w), real(sub(steps, i))), all));
  });
}
/** Takes step `which` out of the path at `at`, whose last step is number `steps`. */
function unwind(k: KernelBuilder, p: Paths, at: Expr, steps: Expr, which: Expr, real: (e: Expr) => Expr): void {
  const one = k.let(k.load(p.one, add(at, which)));
  const zero = k.let(k.load(p.zero, add(at, which)));
  const next = k.var(k.load(p.weight, add(at, steps)));
  const all = k.let(real(add(steps, 1)));
  k.for(0, steps, j => {
    const i = k.let(sub(sub(steps, 1), j));
    const here = k.let(add(at, i));
    const w = k.let(k.load(p.weight, here));
    const share = k.let(real(sub(steps, i)));
    k.if(
      ne(one, konst(one.t, 0)),
      () => {
        const v = k.let(div(mul(next, all), mul(real(add(i, 1)), one)));
        k.store(p.weight, here, v);
        k.set(next, sub(w, div(mul(mul(v, zero), share), all)));
      },
      () => k.store(p.weight, here, div(mul(w, all), mul(zero, share))),
    );
  });
  k.for(which, steps, i => {
    const here = k.let(add(at, i));
    k.store(p.feature, here, k.load(p.feature, add(here, 1)));
    k.store(p.zero, here, k.load(p.zero, add(here, 1)));
    k.store(p.one, here, k.load(p.one, add(here, 1)));
  });
}
/** The sum of the weights that `unwind` would leave, bound. */
function unwoundSum(k: KernelBuilder, p: Paths, at: Expr, steps: Expr, which: Expr, real: (e: Expr) => Expr, nought: Expr): Expr {
  const one = k.let(k.load(p.one, add(at, which)));
  const zero = k.let(k.load(p.zero, add(at, which)));
  const next = k.var(k.load(p.weight, add(at, steps)));
  const all = k.let(real(add(steps, 1)));
  const total = k.var(nought);
  k.for(0, steps, j => {
    const i = k.let(sub(sub(steps, 1), j));
    const w = k.let(k.load(p.weight, add(at, i)));
    const share = k.let(div(real(sub(steps, i)), all));
    k.if(
      ne(one, nought),
      () => {
        const v = k.let(div(mul(next, all), mul(real(add(i, 1)), one)));
        k.set(total, add(total, v));
        k.set(next, sub(w, mul(mul(v, zero), share)));
      },
      () => k.if(ne(zero, nought), () => k.set(total, add(total, div(div(w, zero), share)))),
    );
  });
  return total;
}
/** The most steps from a root to a leaf: tables are constants wherever importers make them. */
function deepest(c: LowerCtx<CategoryRules>): number {
  const tables: (Tensor | undefined)[] = Array.from({ length: 12 }, (_, i) => (c.types[i + 1] ? c.constant(i + 1) : undefined));
  return treeDepths(readTables(tables)).reduce((a, b) => Math.max(a, b), 0);
}
