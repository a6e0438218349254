import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimEq, dimMul, dimProd, type Dim } from '../../core/dim.ts';
import type { Value } from '../../graph/graph.ts';
import * as e from '../../ops/elementwise/index.ts';
import { MatMul } from '../../ops/matmul/matmul.ts';
import { rankOf } from './axes.ts';
import type { ImportBuilder } from './builder.ts';
import { expand, reshape, slice, transpose } from './views.ts';
import { reduceOver } from './reduce.ts';

/** A value whose axes have names. */
interface Named {
  readonly value: Value;
  readonly labels: readonly string[];
}
const sizeOf = (x: Named, label: string): Dim => must(x.value.type.shape[x.labels.indexOf(label)]);

/** The labels of one operand; an ellipsis becomes labels `.1`, `.0` counted from its right end. */
function labelsOf(c: ImportBuilder, text: string, rank: number): string[] {
  const out: string[] = [];
  const named = text.replace('...', '').length;
  for (let i = 0; i < text.length;) {
    if (text.startsWith('...', i)) {
      for (let j = rank - named - 1; j >= 0; j--) out.push(`.${j}`);
      i += 3;
    } else out.push(text.charAt(i++));
  }
  if (out.some(l => !/^([A-Za-z]|\.\d+)$/.test(l))) c.reject(`the equation has '${text}'`);
  if (out.length !== rank) c.reject(`'${text}' names ${out.length} axes, the operand has ${rank}`);
  return out;
}
/** Where a label comes twice in one operand only the elements on the diagonal count. */
function diagonal(c: ImportBuilder, x: Named): Named {
  const twice = x.labels.findIndex((l, i) => x.labels.indexOf(l) !== i);
  if (twice < 0) return x;
  const label = must(x.labels[twice]);
  const first = x.labels.indexOf(label);
  const others = x.labels.map((_, i) => i).filter(i => i !== first && i !== twice);
  const size = must(x.value.type.shape[twice]);
  const turned = transpose(c, x.value, [...others, first, twice]);
  const rest = others.map(i => must(x.value.type.shape[i]));
  const flat = reshape(c, turned, [...rest, dimMul(size, size)]);
  const value = slice(c, flat, new Map([[others.length, { start: 0, size, step: dimAdd(size, 1) }]]));
  return diagonal(c, { value, labels: [...others.map(i => must(x.labels[i])), label] });
}
/** Sums over the axes that nothing else needs. */
function sumOut(c: ImportBuilder, x: Named, needed: ReadonlySet<string>): Named {
  const axes = x.labels.flatMap((l, i) => (needed.has(l) ? [] : [i]));
  return { value: reduceOver(c, 'sum', x.value, axes, false), labels: x.labels.filter(l => needed.has(l)) };
}
const arrange = (c: ImportBuilder, x: Named, order: readonly string[]): Value =>
  transpose(
    c,
    x.value,
    order.map(l => x.labels.indexOf(l)),
  );
/** The product of two operands, summed over the labels that are not needed any more. */
function contract(c: ImportBuilder, a: Named, b: Named, needed: ReadonlySet<string>): Named {
  const shared = a.labels.filter(l => b.labels.includes(l));
  const summed = shared.filter(l => !needed.has(l));
  const batch = shared.filter(l => needed.has(l));
  const left = a.labels.filter(l => !b.labels.includes(l));
  const right = b.labels.filter(l => !a.labels.includes(l));
  const labels = [...batch, ...left, ...right];
  const sizes = (x: Named, ls: readonly string[]): Dim[] => ls.map(l => sizeOf(x, l));
  if (summed.length === 0) {
    const x = reshape(c, arrange(c, a, [...batch, ...left]), [...sizes(a, batch), ...sizes(a, left), ...right.map(() => 1)]);
    const y = reshape(c, arrange(c, b, [...batch, ...right]), [...sizes(b, batch), ...left.map(() => 1), ...sizes(b, right)]);
    return { value: c.apply1(e.Mul, [x, y]), labels };
  }
  // An axis of one element repeats.
  const full = (x: Named, other: Named): Named => ({
    labels: x.labels,
    value: expand(
      c,
      x.value,
      x.labels.map(l =>
        summed.includes(l) && sizeOf(x, l) === 1 && !dimEq(sizeOf(other, l), 1) ? sizeOf(other, l) : sizeOf(x, l),
      ),
    ),
  });
  const [p, q] = [full(a, b), full(b, a)];
  const x = reshape(c, arrange(c, p, [...batch, ...left, ...summed]), [
    ...sizes(p, batch),
    dimProd(sizes(p, left)),
    dimProd(sizes(p, summed)),
  ]);
  const y = reshape(c, arrange(c, q, [...batch, ...summed, ...right]), [
    ...sizes(q, batch),
    dimProd(sizes(q, summed)),
    dimProd(sizes(q, right)),
  ]);
  const z = c.apply1(MatMul, [x, y]);
  return { value: reshape(c, z, [...z.type.shape.slice(0, batch.length), ...sizes(p, left), ...sizes(q, right)]), labels };
}

/** Einsum of some operands as transposes, products and sums, from left to right. E102: an equation that is not for them. */
export function einsum(c: ImportBuilder, text: string, operands: readonly Value[]): Value {
  const equation = text.replaceAll(/\s/g, '');
  const [inputs = '', output, more] = equation.split('->');
  if (more !== undefined) c.reject(`the equation '${equation}'`);
  const texts = inputs.split(',');
  if (texts.length !== operands.length) c.reject(`the equation is for ${texts.length} operands, there are ${operands.length}`);
  const named = operands.map((value, i): Named => ({ value, labels: labelsOf(c, must(texts[i]), rankOf(value)) }));
  const all = named.flatMap(x => x.labels);
  const dots = [...new Set(all.filter(l => l.startsWith('.')))].sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)));
  const target =
    output === undefined
      ? [...dots, ...[...new Set(all)].filter(l => !l.startsWith('.') && all.filter(m => m === l).length === 1).sort()]
      : (output.match(/\.\.\.|./g)?.flatMap(l => (l === '...' ? dots : [l])) ?? []);
  for (const l of target) if (!all.includes(l)) c.reject(`no operand has the axis '${l}' of the result`);
  const parts = named.map(x => diagonal(c, x));
  let acc: Named | undefined;
  parts.forEach((x, i) => {
    const later = new Set([...target, ...parts.slice(i + 1).flatMap(o => o.labels)]);
    const before = acc;
    const own = sumOut(c, x, new Set([...later, ...(before?.labels ?? [])]));
    acc = before ? contract(c, before, own, later) : own;
    acc = sumOut(c, acc, later);
  });
  const result = must<Named>(acc, 'an operand');
  return arrange(c, result, target);
}
