import { must, noLoc } from '../../compiler/core/diagnostic.ts';
import { evalDim } from '../../compiler/core/dim.ts';
import { numel, type Tensor } from '../../compiler/core/tensor.ts';
import { emitWasm } from '../../compiler/backend/wasm/emit.ts';
import { apply1, constant, input, type Graph, type Value } from '../../compiler/graph/graph.ts';
import { lowerGraph } from '../../compiler/lower/index.ts';
import type { Attrs, Op } from '../../compiler/ops/define.ts';
import { bindSymbols } from '../../compiler/program/bind.ts';
import { runKernelPasses } from '../../compiler/program/passes/index.ts';
import { planMemory } from '../../compiler/program/plan.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';

export interface Compiled {
  readonly run: () => void;
  readonly output: (name: string) => Float32Array;
  readonly codeBytes: number;
  readonly text: () => string;
  readonly kernels: readonly string[];
}
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly run: (...sizes: readonly number[]) => void;
  readonly prepare?: () => void;
}
/** Compiles a graph and fills its inputs once; `run` is the call alone. */
export async function compileGraph(g: Graph, target: string, inputs: ReadonlyMap<string, Tensor>): Promise<Compiled> {
  const profile = must(resolveTarget(target).profiles[0]);
  const program = lowerGraph(g, profile);
  const plan = planMemory(program, profile);
  const { bytes, text } = await emitWasm(runKernelPasses(program, profile), plan, profile, { outside: plan.weightsBytes });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  const { memory, run, prepare } = instance.exports as unknown as Exports;
  const all = new Uint8Array(memory.buffer);
  for (const s of program.slots) {
    const at = plan.offsets.get(s);
    if (s.where === 'weights' && at !== undefined) all.set(must(s.bytes), at);
  }
  prepare?.();
  for (const p of program.inputs) all.set(must(inputs.get(p.name)).bytes, must(plan.offsets.get(p.slot)));
  const env = bindSymbols(program, name => inputs.get(name));
  const sizes = program.symbols.filter(s => s.from === 'input').map(s => must(env.get(s.name)));
  return {
    run: () => run(...sizes),
    output: name => {
      const p = must(program.outputs.find(o => o.name === name));
      return new Float32Array(memory.buffer, must(plan.offsets.get(p.slot)), numel(p.type.shape.map(d => evalDim(d, env))));
    },
    codeBytes: bytes.length,
    text,
    kernels: program.steps.map(s => (s.k === 'call' ? s.what : s.k)),
  };
}
function random(dims: readonly number[], seed = 1): Tensor {
  const data = new Float32Array(numel(dims));
  let s = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < data.length; i++) {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    data[i] = (s / 2 ** 32) * 2 - 1;
  }
  return { dtype: 'f32', dims, bytes: new Uint8Array(data.buffer) };
}
/** A graph of one operator on f32 inputs and constants. */
export function one(
  op: Op,
  operands: readonly { readonly dims: readonly number[]; readonly constant?: boolean }[],
  attrs: Attrs,
  after: (v: Value) => Value = v => v,
): { readonly graph: Graph; readonly inputs: ReadonlyMap<string, Tensor> } {
  const inputs: Value[] = [];
  const data = new Map<string, Tensor>();
  const values = operands.map((o, i) => {
    const t = random(o.dims, i + 1);
    if (o.constant) return constant(t, `c${i}`);
    const v = input(`x${i}`, { dtype: 'f32', shape: o.dims });
    data.set(`x${i}`, t);
    inputs.push(v);
    return v;
  });
  const y = after(apply1(op, values, attrs, noLoc));
  return { graph: { name: op.name, inputs, outputs: [{ name: 'y', value: y }], symbolDefinitions: [] }, inputs: data };
}
