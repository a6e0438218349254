import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, CompileError, evaluate, inspect, openBundle, writeBundle, type CompileResult, type RunTensor } from 'sinter';
import { messageOf } from '../core/errors.ts';
import { madeUp, SIDECAR, stored, type Golden, type Sidecar } from '../core/golden.ts';
import type { CompileRequest } from './prepare.ts';

/** A process that compiles one model, so that a compiler's memory and failures stay out of the gateway. */
const ROWS = 8;
/** The reference evaluator is slow: beyond so many multiply-adds the bundle's own answers are kept. */
const EVALUATED = 2e6;
const TOLERANCE = { rtol: 1e-3, atol: 1e-5 };

async function main({ model, out, dims, target }: CompileRequest): Promise<void> {
  const { files, report } = await compile({ model, target, ...(Object.keys(dims).length > 0 && { dims }) });
  writeBundle(out, files);
  const { facts } = inspect({ model });
  const { objective, outputs } = facts as Readonly<Record<string, unknown>>;
  const sidecar: Sidecar = {
    ...(typeof objective === 'string' && { objective }),
    ...(typeof outputs === 'number' && { classes: outputs }),
    golden: await goldenOf(model, out, report, dims),
  };
  writeFileSync(join(out, SIDECAR), JSON.stringify(sidecar));
}
async function goldenOf(
  model: string,
  out: string,
  report: CompileResult['report'],
  dims: CompileRequest['dims'],
): Promise<Golden> {
  const bundle = await openBundle(out);
  const table = bundle.manifest.rows !== undefined;
  const sizes = new Map(report.symbols.map(s => [s.name, s]));
  const [batch] = report.inputs[0]?.shape ?? [];
  const size = (d: number | string): number => {
    const s = sizes.get(String(d));
    if (typeof d === 'number' || !s) return Number(d);
    return d === batch ? Math.min(ROWS, s.hi) : Math.max(1, s.lo);
  };
  const inputs: Record<string, RunTensor & { readonly type: string }> = {};
  report.inputs.forEach((p, i) => {
    const shape = p.shape.map(size);
    inputs[p.name] = {
      type: p.type,
      dims: shape,
      data: madeUp(
        p.type,
        shape.reduce((a, b) => a * b, 1),
        i + 1,
        table,
      ),
    };
  });
  const evaluated = report.trees !== undefined || (report.macs ?? Infinity) <= EVALUATED;
  const outputs = evaluated ? evaluate({ model, inputs, ...(Object.keys(dims).length > 0 && { dims }) }) : bundle.run(inputs);
  const all = (tensors: typeof inputs): Golden['inputs'] =>
    Object.fromEntries(Object.entries(tensors).map(([key, t]) => [key, stored(t)]));
  return { by: evaluated ? 'evaluator' : 'bundle', ...TOLERANCE, inputs: all(inputs), outputs: all(outputs) };
}
try {
  await main(JSON.parse(process.argv[2] ?? '{}') as CompileRequest);
} catch (e) {
  process.stderr.write(`${e instanceof CompileError ? e.message : messageOf(e)}\n`);
  process.exitCode = 1;
}
