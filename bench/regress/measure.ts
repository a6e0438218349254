import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'fflate';
import { fail, must } from '../../compiler/core/diagnostic.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import type { CompileResult } from '../../compiler/options.ts';
import { showBytes } from '../../compiler/core/format.ts';
import { compile } from '../../compiler/host/compile.ts';
import { downloadOf, type Download } from '../../compiler/host/download.ts';
import { countedModel } from '../../compiler/host/model.ts';
import { outputsOfFile } from '../../compiler/run/inputs.ts';
import { openBundle } from '../../compiler/run/bundle.ts';
import { writeFile } from '../../compiler/host/files.ts';
import { openOriginal, reference, type Original } from '../../compiler/reference/reference.ts';
import { inputsOf, type Inputs } from '../suite/inputs.ts';
import type { SuiteModel, SuiteRun, SuiteTarget } from '../suite/suite.ts';
import { taskFigure, type TaskFigure } from '../../compiler/verify/task.ts';
import { parityOf, settled, type Parity } from '../../compiler/verify/parity.ts';
import { DEFAULTS } from '../../compiler/verify/verify.ts';
import type { Accuracy, Size } from './baseline.ts';

/** Compiles a model; tests put something else in its place. */
export type Compile = typeof compile;
/** A compiled model and its figures that are the same on every machine. */
export interface Figures {
  readonly sha256: string;
  /** Undefined where no run is for accuracy. */
  readonly accuracy: Accuracy | undefined;
  readonly size: Size;
  /** A download that is larger than the model by more than a loader and code may take. */
  readonly large: string | undefined;
  /** Ours against the framework, where it is here: beyond the tolerance, and further from the reference than the framework itself. */
  readonly apart: readonly string[];
  /** How well the reference does the task, beside ours. */
  readonly task: { readonly ours: TaskFigure; readonly reference: number } | undefined;
}
/** Compiles a model of a suite and compares it with its reference on all runs that are for accuracy. */
export async function measure(m: SuiteModel, target: SuiteTarget, compileModel: Compile = compile): Promise<Figures> {
  const { external, files: modelFiles } = countedModel(m.path);
  const { files, report } = await compileModel({ model: m.path, external, target: target.option, ...m.options });
  const dir = mkdtempSync(join(tmpdir(), 'sinter-regress-'));
  try {
    for (const [name, bytes] of files) writeFile(join(dir, name), bytes);
    const bundle = await openBundle(dir);
    const original = openOriginal(m.path, bundle.manifest.options);
    const runs = m.runs.filter(r => r.only !== 'speed');
    const samples = runs.map(r => inputsOf(m, r, bundle.manifest, original));
    const known = new Map<Inputs, ReadonlyMap<string, Tensor>>();
    const evaluator = await reference(original, 'evaluate');
    for (const [i, r] of runs.entries()) {
      const inputs = must(samples[i]);
      known.set(inputs, r.expected ? outputsOfFile(bundle.manifest, r.expected.file) : await evaluator.run(inputs));
    }
    const download = await downloadOf(files, modelFiles(), Infinity);
    const size = sizeOf(report, files, download);
    const { sha256 } = report.source;
    const large = tooLarge(download);
    if (runs.length === 0) return { sha256, accuracy: undefined, size, large, apart: [], task: undefined };
    const answers = new Map<Inputs, ReadonlyMap<string, Tensor>>();
    const ours = {
      run: (x: Inputs): Map<string, Tensor> => {
        const out = answers.get(x) ?? bundle.run(x);
        answers.set(x, out);
        return new Map(out);
      },
    };
    const right = { ...evaluator, run: (x: Inputs) => Promise.resolve(new Map(must(known.get(x)))) };
    const parity = await parityOf(ours, right, samples, DEFAULTS);
    const by = [...new Set(runs.map(r => r.expected?.by ?? 'float64'))].join(', ');
    const { framework, apart } = await againstFramework(original, right, ours, samples);
    const task = taskOf(m, runs, samples, ours, known);
    return {
      sha256,
      accuracy: {
        reference: by,
        samples: samples.length,
        outputs: figuresOf(parity),
        ...(framework && { framework }),
        ...(task && { task: { what: task.ours.what, value: digits(task.ours.value) } }),
      },
      size,
      large,
      apart,
      task,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
const digits = (x: number): number => Number(x.toPrecision(3));
function figuresOf(p: Parity): Accuracy['outputs'] {
  return Object.fromEntries(
    p.outputs.map(o => {
      if (!Number.isFinite(o.abs)) fail('E502', { why: `output '${o.name}' is wrong: ${o.why ?? 'it is not finite'}` });
      return [o.name, { abs: digits(o.abs), rel: digits(o.rel), ...(o.classes && { classes: o.classes }) }];
    }),
  );
}
/** Bytes with gzip that code may add to a model. */
const CODE_LIMIT = 100_000;
function tooLarge(d: Download | undefined): string | undefined {
  const [ours = 0, model = 0] = [d?.bundle.gzip, d?.model.gzip];
  return ours > model + CODE_LIMIT ? `${showBytes(ours)}, the model ${showBytes(model)}` : undefined;
}
function sizeOf(report: CompileResult['report'], files: ReadonlyMap<string, Uint8Array>, d: Download | undefined): Size {
  const code = [...files].filter(([name]) => /^model.*\.(wasm|c|h)$/.test(name));
  const loader = files.get('index.js');
  const sum = (list: readonly Uint8Array[]): number => list.reduce((n, b) => n + b.length, 0);
  const packed = [...code.map(([, b]) => b), ...(loader ? [loader] : [])].map(b => gzipSync(b, { level: 9, mtime: 0 }));
  return {
    code: sum(code.map(([, b]) => b)),
    gzip: sum(packed),
    weights: Math.max(...report.modules.map(x => x.weights)),
    arena: Math.max(...report.modules.map(x => x.arena)),
    // Compressors of different releases differ in the digits behind.
    ...(d && { download: Number(((d.bundle.gzip ?? 0) / (d.model.gzip ?? 1)).toPrecision(2)) }),
  };
}

async function againstFramework(
  original: Original,
  right: Parameters<typeof parityOf>[1],
  ours: Parameters<typeof parityOf>[0],
  samples: readonly Inputs[],
): Promise<{ framework: Accuracy['framework']; apart: string[] }> {
  if (original.format !== 'onnx') return { framework: undefined, apart: [] };
  const ref = await reference(original, 'auto');
  if (ref.name !== 'onnxruntime-node') return { framework: undefined, apart: [] };
  const theirs = new Map<Inputs, Map<string, Tensor>>();
  for (const x of samples) theirs.set(x, await ref.run(x));
  const run = (x: Inputs): Map<string, Tensor> => must(theirs.get(x));
  const known = { ...ref, run: (x: Inputs) => Promise.resolve(run(x)) };
  const between = await settled(await parityOf(ours, known, samples, DEFAULTS), ours, known, right, samples);
  const own = await parityOf({ run }, right, samples, DEFAULTS);
  const apart = between.outputs.flatMap(o => (o.ok ? [] : [`${o.name}: ${o.why ?? ''}`]));
  const outputs = Object.fromEntries(own.outputs.map(o => [o.name, { abs: digits(o.abs) }]));
  return { framework: { by: `${ref.name} ${ref.version}`, outputs }, apart };
}

function taskOf(
  m: SuiteModel,
  runs: readonly SuiteRun[],
  samples: readonly Inputs[],
  ours: { run(x: Inputs): Map<string, Tensor> },
  known: ReadonlyMap<Inputs, ReadonlyMap<string, Tensor>>,
): Figures['task'] {
  const { task } = m;
  const labelled = runs.flatMap((r, i) => (r.labels === undefined ? [] : [{ labels: r.labels, inputs: must(samples[i]) }]));
  if (!task || labelled.length === 0) return undefined;
  const figure = (run: (x: Inputs) => ReadonlyMap<string, Tensor>): TaskFigure =>
    taskFigure(
      task,
      labelled.map(({ labels, inputs }) => ({ labels, output: must([...run(inputs).values()][0], `an output of ${m.name}`) })),
    );
  return { ours: figure(x => ours.run(x)), reference: figure(x => must(known.get(x))).value };
}
