/** Compiles mutants for mutants.ts: each number that comes is one, and is answered. */
import { ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { WASM, type WasmArtifact } from '../../compiler/backend/wasm/index.ts';
import type { CompiledModule } from '../../compiler/backend/backend.ts';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { compile } from '../../compiler/index.ts';
import { wasmRun } from '../conformance/compiled.ts';
import { compared, failed, type End } from './check.ts';
import { randomProblem, roundingOf, type Problem } from './graph.ts';
import { describe, fileOf, type Model } from './model.ts';
import { mutate } from './mutate.ts';
import { follow, type Results } from './oracle.ts';
import { wrappedFile } from './wrap.ts';
import type { Answer, Phase } from '../watched.ts';

const [seed = '1', dir = '.'] = process.argv.slice(2);
/** Bytes of memory of a model that is run. */
const RUNNABLE = 2 ** 27;
/** Mutants of one model. */
const EACH = 20;
interface Base extends Problem {
  readonly at: number;
  /** By sets of operators, which mutants change. */
  readonly results: Map<number, Results>;
}
let base: Base | undefined;
/** The file of the mutant at hand, which is left when the process is stopped. */
const here = openSync(join(dir, `mutant-${process.pid}.onnx`), 'w');
const during = (phase: Phase): void => void process.send?.({ phase });

async function answer(k: number): Promise<Answer> {
  const at = Math.floor(k / EACH);
  if (base?.at !== at) {
    during('peer');
    const problem = await randomProblem(Number(seed) * 1_000_003 + at, [2, 3, 5, 8]);
    base = { ...problem, at, results: new Map() };
    during('ours');
  }
  const next = randomStream(Number(seed) * 7_919 + k);
  const m = mutate(next, base.model);
  // One in four has a function, a branch or a loop, half of these damaged; the others are as they are.
  const [wrap, hurt] = [next() < 0.25, next() < 0.5];
  const file = wrap ? wrappedFile(next, m, hurt) : fileOf(m);
  ftruncateSync(here);
  writeSync(here, file, 0, file.length, 0);
  const end = await ended(m, file, wrap && hurt, base);
  return { k, ...end, ...(end.fault && { why: `${end.why}\n${wrap ? 'wrapped, ' : ''}${describe(m)}` }) };
}
/** The module of WebAssembly that is compiled of a file; weights are inside of it. */
async function moduleOf(model: Uint8Array): Promise<CompiledModule<WasmArtifact> | undefined> {
  const made: CompiledModule<WasmArtifact>[] = [];
  const backEnd: typeof WASM = {
    ...WASM,
    emit: async input => {
      const module = await WASM.emit(input);
      made.push(module);
      return module;
    },
  };
  await compile({ model, file: 'mutant.onnx', backEnds: [backEnd], embedBelow: RUNNABLE });
  return made[0];
}
async function ended(m: Model, file: Uint8Array, hurt: boolean, b: Base): Promise<Pick<Answer, 'end' | 'why' | 'fault'>> {
  let made: CompiledModule<WasmArtifact> | undefined;
  try {
    made = await moduleOf(file);
  } catch (e) {
    if (e instanceof CompileError) return { end: e.code, why: e.bare, fault: false };
    return { end: 'broken', why: e instanceof Error ? (e.stack ?? e.message) : String(e), fault: true };
  }
  // Tensors of a gigabyte may be what the model asks for: then nothing is run.
  if (hurt || !made || made.report.arena > RUNNABLE) return { end: 'compiled', why: '', fault: false };
  const results: Results = b.results.get(m.opset) ?? new Map();
  b.results.set(m.opset, results);
  during('peer');
  const known = await follow(m, roundingOf, randomStream(1), { known: b.known, results });
  during('ours');
  if (!known) return { end: 'compiled', why: '', fault: false };
  const c = ran(made, m, known);
  return c.k === 'right' || c.k === 'refused' ? { end: c.k, why: '', fault: false } : { end: c.k, why: c.why, fault: true };
}
function ran({ program, plan, artifact }: CompiledModule<WasmArtifact>, m: Model, known: Parameters<typeof compared>[2]): End {
  try {
    return compared(wasmRun(program, plan, artifact.bytes), m, known);
  } catch (e) {
    return failed(e);
  }
}
process.on('message', k => void answer(Number(k)).then(a => process.send?.(a)));
// What the first compilation loads is not a mutant's.
await compile({ model: fileOf((await randomProblem(1, [3])).model), file: 'first.onnx' });
process.send?.({ ready: true });
