/** Compiles mutants for mutants.ts: each number that comes is one, and is answered. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompileError } from '../../compiler/core/diagnostic.ts';
import { randomStream } from '../../compiler/core/random.ts';
import { compile } from '../../compiler/index.ts';
import { check } from './check.ts';
import { randomProblem, roundingOf, type Problem } from './graph.ts';
import { describe, fileOf, type Model } from './model.ts';
import { mutate } from './mutate.ts';
import { follow } from './oracle.ts';
import type { Answer } from '../watched.ts';

const [seed = '1', dir = '.'] = process.argv.slice(2);
/** Bytes of memory of a model that is run. */
const RUNNABLE = 2 ** 27;
/** Mutants of one model. */
const EACH = 20;
let base: { readonly at: number; readonly problem: Problem } | undefined;

async function answer(k: number): Promise<Answer> {
  const at = Math.floor(k / EACH);
  if (base?.at !== at) base = { at, problem: await randomProblem(Number(seed) * 1_000_003 + at, [3, 5, 8, 12]) };
  const m = mutate(randomStream(Number(seed) * 7_919 + k), base.problem.model);
  const file = fileOf(m);
  writeFileSync(join(dir, `mutant-${process.pid}.onnx`), file);
  const end = await ended(m, file);
  return { k, ...end, ...(end.fault && { why: `${end.why}\n${describe(m)}` }) };
}
async function ended(m: Model, file: Uint8Array): Promise<Pick<Answer, 'end' | 'why' | 'fault'>> {
  try {
    const { report } = await compile({ model: file, file: 'mutant.onnx' });
    // Tensors of a gigabyte may be what the model asks for: then nothing is run.
    if (report.modules.some(r => r.arena > RUNNABLE)) return { end: 'compiled', why: '', fault: false };
  } catch (e) {
    if (e instanceof CompileError) return { end: e.code, why: e.bare, fault: false };
    return { end: 'broken', why: e instanceof Error ? (e.stack ?? e.message) : String(e), fault: true };
  }
  const known = await follow(m, roundingOf, randomStream(1));
  if (!known) return { end: 'compiled', why: '', fault: false };
  const c = await check(m, known, 'wasm', false);
  return c.k === 'right' || c.k === 'refused' ? { end: c.k, why: '', fault: false } : { end: c.k, why: c.why, fault: true };
}
process.on('message', k => void answer(Number(k)).then(a => process.send?.(a)));
// What the first compilation loads is not a mutant's.
await compile({ model: fileOf((await randomProblem(1, [3])).model), file: 'first.onnx' });
process.send?.({ ready: true });
