/** What Sinter makes of a model, beside what is known of its outputs. */
import { CompileError, must } from '../../compiler/core/diagnostic.ts';
import { isInt } from '../../compiler/core/dtype.ts';
import { symbol, type Dim } from '../../compiler/core/dim.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { decodeModel } from '../../compiler/import/onnx/decode.ts';
import { importProto } from '../../compiler/import/onnx/import.ts';
import { runner, type Run, type Way } from '../conformance/runners.ts';
import { fileOf, type Model } from './model.ts';
import { departure, type Known } from './oracle.ts';

export type End =
  | { readonly k: 'right' }
  /** An error with a code, which says what is not supported. */
  | { readonly k: 'refused'; readonly code: string; readonly why: string }
  | { readonly k: 'wrong'; readonly output: string; readonly why: string }
  | { readonly k: 'broken'; readonly why: string };

/** A size that stays open; equal ones share a symbol. */
const open = (n: number): Dim => (n < 2 ? n : symbol(`n${n}`, 1, 2 * n));

/** @param free whether sizes of the inputs stay open */
export async function check(m: Model, known: ReadonlyMap<string, Known>, way: Way, free: boolean): Promise<End> {
  try {
    const shapes = new Map<string, readonly Dim[]>();
    for (const [name, t] of m.inputs)
      shapes.set(name, free && !(isInt(t.dtype) && t.dims.length < 2) ? t.dims.map(open) : t.dims);
    const proto = decodeModel(fileOf(m), 'random');
    const { graph } = importProto(proto, { file: 'random', inputSizes: Object.fromEntries(shapes) });
    return compared(await runner(way, graph), m, known);
  } catch (e) {
    return failed(e);
  }
}
/** What a run of the model gives, beside what is known. */
export function compared(run: Run, m: Model, known: ReadonlyMap<string, Known>): End {
  const got: ReadonlyMap<string, Tensor> = run(m.inputs);
  for (const output of m.outputs) {
    const why = departure(got.get(output), must(known.get(output)));
    if (why !== undefined) return { k: 'wrong', output, why };
  }
  return { k: 'right' };
}
export function failed(e: unknown): End {
  if (e instanceof CompileError) return { k: 'refused', code: e.code, why: e.bare };
  return { k: 'broken', why: e instanceof Error ? (e.stack ?? e.message) : String(e) };
}
