/**
 * Real models as floats, in 8-bit integers and in 4 and 8 bits mixed: `npm run bench -- quantization --data FOLDER [--only NAME,…] [--seconds S]
 * [--target NAME] [--note TEXT] [--from FILE]`. FOLDER holds what `fixtures/quantize/data.py` and `packages.py` write; plans are made there, and kept.
 * What each bundle gets right of the test, its size compressed, and its speed beside the float one in turns. Keeps the figures in
 * bench/suites/quantization.json and makes the tables of README.md and bench/RESULTS.md of them; `--seconds 0` keeps the speeds that are there.
 * Node 24 has the relaxed dot product: `npx -p node@24 node --import tsx bench/run.ts quantization …`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { importFor } from '../compiler/compile.ts';
import { must } from '../compiler/core/diagnostic.ts';
import { toNumbers, type Tensor } from '../compiler/core/tensor.ts';
import type { DimOption } from '../compiler/options.ts';
import { quantizeModel } from '../compiler/run/quantize.ts';
import { cosine } from '../compiler/verify/task.ts';
import { writePlan } from '../compiler/quantize/plan.ts';
import { dimOptions } from '../fixtures/dims.ts';
import { bestWasm } from '../fixtures/engine.ts';
import { realModel } from '../fixtures/models.ts';
import { projectDir } from '../fixtures/paths.ts';
import { factors, inTurns, opened, type Opened } from './quantized/bundles.ts';
import { TASKS, testItems, type Task } from './quantized/tasks.ts';
import { writeParts } from './results/parts.ts';
import { quantizationPart, readmeQuantization, type QuantizationFigures, type QuantizationRow } from './results/quantization.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    only: { type: 'string' },
    seconds: { type: 'string', default: '20' },
    target: { type: 'string', default: bestWasm() },
    note: { type: 'string', default: '' },
    from: { type: 'string' },
  },
});
const kept = join(projectDir, 'bench', 'suites', 'quantization.json');
const before: QuantizationFigures | undefined = existsSync(kept)
  ? (JSON.parse(readFileSync(kept, 'utf8')) as QuantizationFigures)
  : undefined;

/** The schemes of the table by their columns. */
const SCHEMES = { int8: 'int8', mixed: 'w4' } as const;
async function planOf(
  task: Task,
  name: keyof typeof SCHEMES,
  dims: Readonly<Record<string, DimOption>>,
  data: string,
): Promise<string> {
  const file = join(data, `${task.name}.${name}.quant.json`);
  if (!existsSync(file)) {
    const q = await quantizeModel({
      model: task.model(data),
      dims,
      scheme: SCHEMES[name],
      calibrate: { data: join(data, task.calibration) },
    });
    writeFileSync(file, writePlan(q.plan));
  }
  return file;
}
async function rowsOf(task: Task, data: string): Promise<QuantizationRow[]> {
  const model = task.model(data);
  const bytes = readFileSync(model);
  const real = task.real === undefined ? undefined : realModel(task.real);
  const dims: Readonly<Record<string, DimOption>> = real ? dimOptions(real, bytes) : (task.dims ?? {});
  const [input] = importFor({ model: bytes, dims }).graph.inputs;
  const first = input?.def.k === 'input' ? input.def.name : '';
  const names = ['int8', 'mixed'] as const;
  const all: Opened[] = [await opened({ model, dims, target: values.target })];
  for (const name of names) {
    const plan = await planOf(task, name, dims, data);
    all.push(
      await opened({ model, dims, target: values.target, quantization: readFileSync(plan, 'utf8'), quantizationFile: plan }),
    );
  }
  const judge = task.judge(data);
  const sums = all.map(() => ({ right: 0, cosine: 0 }));
  let items = 0;
  let sample: ReadonlyMap<string, Tensor> | undefined;
  for (const { inputs, label } of testItems(task, data, first)) {
    sample ??= inputs;
    items++;
    const answers = all.map(o => o.bundle.run(inputs));
    answers.forEach((answer, i) => {
      const s = must(sums[i]);
      if (judge(answer, label)) s.right++;
      const [want, got] = [answers[0], answer].map(a =>
        toNumbers(must(task.embedding === undefined ? [...must(a).values()][0] : a?.get(task.embedding))),
      );
      s.cosine += cosine(must(want), must(got));
    });
  }
  const seconds = Number(values.seconds);
  const faster = seconds > 0 ? factors(inTurns(all, must(sample), seconds)) : [];
  return all.map((o, i) => {
    const scheme = (['float', ...names] as const)[i] ?? 'float';
    const old = before?.rows.find(r => r.model === task.name && r.scheme === scheme);
    const speed = faster[i] ?? old?.faster;
    return {
      model: task.name,
      title: task.title,
      what: task.what,
      items,
      scheme,
      right: Number(((100 * must(sums[i]).right) / items).toFixed(2)),
      cosine: Number((must(sums[i]).cosine / items).toFixed(5)),
      bytes: o.bytes,
      gzip: o.gzip,
      load: Math.round(o.load),
      ...(speed !== undefined && { faster: Number(speed.toFixed(3)) }),
    };
  });
}
async function measured(data: string): Promise<QuantizationFigures> {
  const wanted = TASKS.filter(t => values.only === undefined || values.only.split(',').includes(t.name));
  const rows: QuantizationRow[] = [];
  for (const task of wanted) {
    const now = await rowsOf(task, data);
    for (const r of now)
      console.log(
        `${r.model.padEnd(6)} ${r.scheme.padEnd(6)} ${r.right} % ${r.what}, cosine ${r.cosine}, ${r.gzip} bytes, ${r.faster ?? '?'} times faster`,
      );
    rows.push(...now);
  }
  const old = (before?.rows ?? []).filter(r => !wanted.some(t => t.name === r.model));
  const order = TASKS.map(t => t.name);
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: projectDir, encoding: 'utf8' }).trim(),
    target: values.target,
    engine: `Node ${process.version}`,
    cpu: cpus()[0]?.model ?? '',
    note: values.note,
    rows: [...old, ...rows].sort((a, b) => order.indexOf(a.model) - order.indexOf(b.model)),
  };
}
const figures: QuantizationFigures =
  values.from === undefined
    ? await measured(must(values.data, 'the folder of the data: --data'))
    : (JSON.parse(readFileSync(values.from, 'utf8')) as QuantizationFigures);
const { rows, ...head } = figures;
writeFileSync(
  kept,
  `${JSON.stringify(head, null, 2).replace(/\n\}$/, '')},\n  "rows": [\n${rows.map(r => `    ${JSON.stringify(r)}`).join(',\n')}\n  ]\n}\n`,
);
writeParts('quantization', readmeQuantization(figures), quantizationPart(figures));
