import { expect } from '@jest/globals';
import * as ort from 'onnxruntime-node';
import { DTYPES, isDType, type DType } from '../../compiler/core/dtype.ts';
import { fromTyped, numel, typed, type Tensor } from '../../compiler/core/tensor.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import { importOnnx, type OnnxOptions } from '../../compiler/import/onnx/import.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import { interpretProgram } from '../../compiler/program/interpret.ts';
import { compiled } from '../conformance/compiled.ts';
import { expectClose, noise, target } from '../ops/problems.ts';
import { attribute, encode, float, int, node, sub, tensor, text, value, type Part } from '../onnx-writer.ts';

/** One node as a model of its own, against onnxruntime. */
export interface Problem {
  readonly op: string;
  readonly domain?: string;
  readonly opset?: number;
  /** In order; undefined: left out. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly DType[];
  /** Which inputs are constants of the model. */
  readonly constants?: readonly number[];
  /** Sizes that the model declares for its outputs; else it declares none. */
  readonly declares?: readonly (readonly number[])[];
  readonly attrs?: Readonly<Record<string, number | readonly number[] | string | Float | Lists>>;
}
/** An attribute that is a float. */
export interface Float {
  readonly float: number;
}
/** An attribute that is a list of floats or of texts. */
export type Lists = { readonly floats: readonly number[] } | { readonly strings: readonly string[] };
export const asFloat = (x: number): Float => ({ float: x });
const CODES: Partial<Record<DType, number>> = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, f64: 11 };
const code = (t: DType): number => CODES[t] ?? 0;

export const numbers = noise;

function attributeOf(name: string, v: number | readonly number[] | string | Float | Lists): Part {
  if (typeof v === 'object' && 'float' in v) return sub(5, text(1, name), float(2, v.float), int(20, 1));
  if (typeof v === 'object' && 'floats' in v) return sub(5, text(1, name), ...v.floats.map(x => float(7, x)), int(20, 6));
  if (typeof v === 'object' && 'strings' in v) return sub(5, text(1, name), ...v.strings.map(x => text(9, x)), int(20, 8));
  return attribute(name, v);
}
export function modelOf(p: Problem, sizes = (t: Tensor): readonly (number | string)[] => t.dims): Uint8Array {
  const names = p.inputs.map((t, i) => (t ? `x${i}` : ''));
  const outs = p.outputs.map((_, i) => `y${i}`);
  const attrs = Object.entries(p.attrs ?? {}).map(([k, v]) => attributeOf(k, v));
  const domain = p.domain === undefined ? [] : [text(7, p.domain)];
  const fixed = (i: number): boolean => p.constants?.includes(i) ?? false;
  const ins = p.inputs.flatMap((t, i) => {
    if (!t) return [];
    if (fixed(i)) return [sub(5, tensor({ name: `x${i}`, dims: t.dims, type: code(t.dtype), raw: t.bytes }))];
    return [value(11, `x${i}`, code(t.dtype), sizes(t))];
  });
  // Outputs without sizes: both sides find them out.
  const results = p.outputs.map((t, i) => {
    const shape = p.declares?.[i];
    return shape ? value(12, `y${i}`, code(t), shape) : sub(12, text(1, `y${i}`), sub(2, sub(1, int(1, code(t)))));
  });
  const graph = [node(p.op, names, outs, ...attrs, ...domain), text(2, 'g'), ...ins, ...results];
  const imports = [sub(8, int(2, p.opset ?? 17)), ...(p.domain === undefined ? [] : [sub(8, text(1, p.domain), int(2, 1))])];
  return encode(int(1, 8), text(2, 'test'), sub(7, ...graph), ...imports);
}
/** What onnxruntime computes. */
export async function peer(bytes: Uint8Array, inputs: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  // Sums of 8-bit products do not saturate on processors without VNNI.
  const extra = { session: { x64quantprecision: '1' } };
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, extra });
  const feeds = Object.fromEntries(
    [...inputs].map(([name, t]) => [name, new ort.Tensor(DTYPES[t.dtype].ort as 'float32', typed(t) as Float32Array, t.dims)]),
  );
  const outs = await session.run(feeds);
  return new Map(
    Object.entries(outs).map(([name, t]) => {
      const dtype = Object.entries(DTYPES).find(([, d]) => d.ort === t.type)?.[0] ?? '';
      if (!isDType(dtype)) throw new Error(`type ${t.type}`);
      return [name, fromTyped(dtype, t.dims, t.data as Float32Array)];
    }),
  );
}
/** The evaluator, the interpreted kernels and the compiled module give what onnxruntime gives. */
export async function expectPeer(p: Problem, options: OnnxOptions = {}, rtol = 1e-3, atol = 1e-5): Promise<void> {
  const bytes = modelOf(p);
  const inputs = new Map(p.inputs.flatMap((t, i) => (t && !p.constants?.includes(i) ? [[`x${i}`, t] as const] : [])));
  const want = await peer(bytes, inputs);
  const { graph } = importOnnx(bytes, options);
  const mine = evaluate(graph, inputs);
  const program = interpretProgram(lowerGraph(graph, target('wasm-simd')), inputs);
  const module = (await compiled('wasm', graph))(inputs);
  for (const [name, t] of want) {
    if (numel(t.dims) === 0) continue;
    expect([name, mine.get(name)?.dims]).toEqual([name, t.dims]);
    expectClose(mine.get(name), t, rtol, atol);
    expectClose(program.get(name), t, rtol, atol);
    expectClose(module.get(name), t, rtol, atol);
  }
}
