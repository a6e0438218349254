import { text } from '../core/check.ts';
import { fail } from '../core/diagnostic.ts';
import { editDistance } from '../core/suggest.ts';
import { toNumbers, type Tensor } from '../core/tensor.ts';
import { readText } from '../host/files.ts';

/**
 * What a model is for, as a figure that means something to its users. Labels are text, one a line: what the task asks for each row of the
 * first output.
 */
export type Task =
  /** Text in steps, by the likeliest character of each (CTC, greedy; class 0 is the blank): the part of the characters that are read right. */
  | { readonly k: 'read'; readonly keys: string }
  /** The part of the rows whose likeliest class is the label. */
  | { readonly k: 'classify' }
  /** Numbers: the root of the mean squared error. */
  | { readonly k: 'regress' }
  /** Embeddings: the part of the rows whose nearest other row, by the cosine, is the label (the first row is 0). */
  | { readonly k: 'nearest' };
export const TASK = {
  read: { keys: text },
  classify: {},
  regress: {},
  nearest: {},
};
export interface TaskFigure {
  readonly what: string;
  readonly value: number;
}

/** An answer, and the file of its labels. */
interface Labelled {
  readonly output: Tensor;
  readonly labels: string;
}
/** How well answers do their task, all rows of all of them together. E205 where the labels do not fit. */
export function taskFigure(task: Task, answers: readonly Labelled[]): TaskFigure {
  const labels: string[] = [];
  const rows: Float64Array[] = [];
  for (const { output, labels: file } of answers) {
    const lines = readText(file)
      .replace(/\r?\n$/, '')
      .split(/\r?\n/);
    const count = output.dims[0] ?? 1;
    if (lines.length !== count) fail('E205', { file, why: `it has ${lines.length} labels, and the output ${count} rows` });
    const values = toNumbers(output);
    labels.push(...lines);
    for (let i = 0; i < count; i++) rows.push(values.subarray((i * values.length) / count, ((i + 1) * values.length) / count));
  }
  const part = (right: (label: string, row: Float64Array) => boolean): number =>
    rows.filter((r, i) => right(labels[i] ?? '', r)).length / rows.length;
  switch (task.k) {
    case 'classify':
      return { what: 'classes right', value: part((l, r) => argMax(r) === Number(l)) };
    case 'regress': {
      const sum = rows.reduce((s, r, i) => s + ((r[0] ?? NaN) - Number(labels[i])) ** 2, 0);
      return { what: 'root mean squared error', value: Math.sqrt(sum / rows.length) };
    }
    case 'read': {
      const keys = readText(task.keys).split(/\r?\n/);
      const classes = answers[0]?.output.dims.at(-1) ?? 1;
      const wrong = rows.reduce((n, r, i) => n + editDistance(readSteps(r, classes, keys), labels[i] ?? ''), 0);
      return { what: 'characters read right', value: 1 - wrong / labels.join('').length };
    }
    case 'nearest':
      return { what: 'nearest neighbours right', value: part((l, r) => nearestTo(rows, r) === Number(l)) };
  }
}
function argMax(v: Float64Array): number {
  let at = 0;
  v.forEach((x, i) => {
    if (x > (v[at] ?? NaN)) at = i;
  });
  return at;
}
/** The likeliest character of each step, repetitions and blanks dropped. */
function readSteps(v: Float64Array, classes: number, keys: readonly string[]): string {
  let out = '';
  let before = 0;
  for (let at = 0; at < v.length; at += classes) {
    const best = argMax(v.subarray(at, at + classes));
    if (best !== 0 && best !== before) out += keys[best - 1] ?? ' ';
    before = best;
  }
  return out;
}
function nearestTo(all: readonly Float64Array[], row: Float64Array): number {
  let [best, at] = [-Infinity, -1];
  all.forEach((v, j) => {
    const c = v === row ? -Infinity : cosine(row, v);
    if (c > best) [best, at] = [c, j];
  });
  return at;
}
/** The cosine of the angle between two vectors. */
export function cosine(a: Float64Array, b: Float64Array): number {
  let [dot, p, q] = [0, 0, 0];
  a.forEach((x, i) => {
    const y = b[i] ?? 0;
    dot += x * y;
    p += x * x;
    q += y * y;
  });
  return dot / Math.sqrt(p * q);
}
