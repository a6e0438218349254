import type { Answer, Call } from '../core/call.ts';
import type { Inference, Tensors } from '../core/model.ts';
import { rowsFrom, shapeKey, stacked } from './batch.ts';
import type { Model } from './model.ts';

/** A call whose body was read. */
export interface Task {
  readonly call: Call;
  readonly model: Model;
  readonly inference: Inference;
  readonly done: (a: Answer) => void;
}
type Failure = (c: Call, e: unknown) => Answer;

/** Runs what came in one turn: rows for the same model in one run, as many as it takes. */
export function runAll(tasks: readonly Task[], failure: Failure): void {
  const groups = new Map<Model, Map<string, Task[]>>();
  for (const t of tasks) {
    const { maxBatch } = t.model.info;
    if (maxBatch === undefined) {
      runGroup([t], failure);
      continue;
    }
    const byShape = groups.get(t.model) ?? new Map<string, Task[]>();
    groups.set(t.model, byShape);
    // Of a table all rows are alike.
    const key = t.model.info.table ? '' : shapeKey(t.inference.inputs);
    const group = byShape.get(key);
    if (group) group.push(t);
    else byShape.set(key, [t]);
  }
  for (const byShape of groups.values()) for (const group of byShape.values()) cut(group, failure);
}
/** Groups of as many rows as a run takes. */
function cut(group: readonly Task[], failure: Failure): void {
  const most = group[0]?.model.info.maxBatch ?? 1;
  let part: Task[] = [];
  let rows = 0;
  for (const t of group) {
    if (rows + t.inference.rows > most && part.length > 0) {
      runGroup(part, failure);
      part = [];
      rows = 0;
    }
    part.push(t);
    rows += t.inference.rows;
  }
  runGroup(part, failure);
}
function runGroup(tasks: readonly Task[], failure: Failure): void {
  const [first] = tasks;
  if (!first) return;
  const start = performance.now();
  const took = (): number => Math.round((performance.now() - start) * 1000);
  if (tasks.length === 1) {
    let answer: Answer;
    try {
      const outputs = runRows(first);
      const microseconds = took();
      answer = { ...first.inference.finish(outputs), microseconds, rows: first.inference.rows };
    } catch (e) {
      answer = failure(first.call, e);
    }
    first.done(answer);
    return;
  }
  const rows = tasks.reduce((n, t) => n + t.inference.rows, 0);
  let outputs: Tensors;
  try {
    outputs = first.model.run(
      stacked(
        tasks.map(t => t.inference.inputs),
        rows,
      ),
    );
  } catch {
    // One of them is at fault: each alone.
    for (const t of tasks) runGroup([t], failure);
    return;
  }
  const microseconds = took();
  let at = 0;
  for (const t of tasks) {
    const own = rowsFrom(outputs, at, t.inference.rows);
    at += t.inference.rows;
    let answer: Answer;
    try {
      answer = { ...t.inference.finish(own), microseconds, rows: t.inference.rows };
    } catch (e) {
      answer = failure(t.call, e);
    }
    t.done(answer);
  }
}
/** Runs the rows of one call, in parts where they are more than a run takes. */
function runRows(t: Task): Tensors {
  const { inputs, rows } = t.inference;
  const { maxBatch } = t.model.info;
  if (maxBatch === undefined || rows <= maxBatch) return t.model.run(inputs);
  const parts: Tensors[] = [];
  for (let at = 0; at < rows; at += maxBatch) parts.push(t.model.run(rowsFrom(inputs, at, Math.min(maxBatch, rows - at))));
  return stacked(parts, rows);
}
