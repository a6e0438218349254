import { must, type Warning } from './core/diagnostic.ts';
import { allNodes, macsHi } from './graph/stats.ts';
import type { Graph, Value } from './graph/graph.ts';
import { printGraph } from './graph/print.ts';
import { verifyGraph } from './graph/verify.ts';
import { lowerGraph } from './lower/index.ts';
import type { LowerSettings } from './ops/lowering.ts';
import type { Tuned } from './ops/tuning.ts';
import type { Profile } from './target/profile.ts';
import { treeStats } from './ops/trees/stats.ts';
import type { CompiledModule } from './backend/backend.ts';
import { portReport } from './bundle/about.ts';
import { sha256, utf8 } from './core/bytes.ts';
import type { DimChoice, ShapeChoices } from './import/shared/dims.ts';
import {
  modelChoices,
  type CompileOptions,
  type CompileResult,
  type DimOption,
  type Phase,
  type Progress,
  type Report,
  type Stage,
} from './options.ts';
import { runPasses } from './passes/index.ts';
import { insertQuantization } from './quantize/insert.ts';
import { nameCollector } from './quantize/names.ts';
import { checkPlan, matchPlan, PLAN_FILE, readPlan, writePlan, type QuantizationPlan } from './quantize/plan.ts';
import { runKernelPasses } from './program/passes/index.ts';
import { planMemory } from './program/plan.ts';
import type { Program, Slot } from './program/program.ts';
import { commonWeights } from './program/weights.ts';
import { printProgram } from './program/print.ts';
import { verifyProgram } from './program/verify.ts';
import { resolveTarget, withThreads } from './target/resolve.ts';
import { importModel, type ImportedModel } from './import/index.ts';

/**
 * Compiles a model to a bundle: the whole pipeline. Nothing here knows a file system. Errors: CompileError, with a code and the place
 * in the model, where the model or an option is at fault; InternalError where the compiler is.
 */
export async function compile(options: CompileOptions): Promise<CompileResult> {
  const run = newRun(options);
  const named = resolveTarget(options.target ?? 'wasm-simd', options.backEnds);
  const target = options.threads === undefined ? named : withThreads(named, options.threads);
  const plan = planOf(options);
  const digest = await sha256(options.model);
  const imported = run.phase('import', '', () => importQuantized(options, plan, digest));
  run.stage('import', '', '', 'graph', () => printGraph(imported.graph));
  const { backEnd } = target;
  const lowered = (options.stopAfter === 'import' ? [] : target.profiles).map(p => lowerFor(p, imported.graph, options, run));
  const graph = lowered.at(-1)?.graph ?? imported.graph;
  const programs = lowered.flatMap(l => (l.program ? [{ ...l, program: l.program }] : []));
  const common = commonWeights(programs.map(l => l.program));
  const modules: CompiledModule[] = [];
  for (const [i, l] of programs.entries()) {
    const module = await emitFor(l, must(common[i]), options, run);
    if (module) modules.push(module);
  }
  const kept = backEnd.distinct(modules);
  const report = reportOf(options, target.name, imported, graph, kept, run, digest);
  if (options.stopAfter !== undefined && options.stopAfter !== 'bundle') return { files: new Map(), report };
  const info = {
    target: target.name,
    source: report.source,
    operators: report.operators,
    macs: report.macs,
    trees: report.trees,
    passes: [...new Set(run.passes.flatMap(p => (p.phase === 'passes' ? [p.name] : [])))],
    options: {
      ...modelChoices(options),
      ...settingsOf(options),
      ...(options.embedBelow !== undefined && { embedBelow: options.embedBelow }),
    },
    ...(plan && { quantization: { scheme: plan.scheme, nodes: count(plan.nodes), float: count(plan.float) } }),
    labels: options.labels ?? imported.labels,
    rows: imported.rows,
  };
  const files = await run.phaseAsync('bundle', '', () => backEnd.bundle(kept, info));
  if (plan) files.set(PLAN_FILE, utf8(writePlan(plan)));
  return {
    files,
    report: { ...report, phases: run.phases, files: Object.fromEntries([...files].map(([f, b]) => [f, b.length])) },
  };
}

const count = (record: object): number => Object.keys(record).length;
/** The plan that the options give; E208 where it is not sound. */
function planOf({ quantization, quantizationFile = 'plan' }: CompileOptions): QuantizationPlan | undefined {
  if (quantization === undefined) return undefined;
  return typeof quantization === 'string' ? readPlan(quantization, quantizationFile) : checkPlan(quantization, quantizationFile);
}
/** Imports a model with all that the options change of it: what `compile` lowers. */
export const importWhole = async (o: CompileOptions): Promise<ImportedModel> =>
  importQuantized(o, planOf(o), await sha256(o.model));
/** The model with what the plan quantizes. */
function importQuantized(o: CompileOptions, plan: QuantizationPlan | undefined, digest: string): ImportedModel {
  if (!plan) return importFor(o);
  const { onValue, names } = nameCollector();
  const imported = importFor(o, onValue);
  matchPlan(plan, { graph: imported.graph, names, sha256: digest }, o.quantizationFile ?? 'plan');
  return { ...imported, graph: insertQuantization(imported.graph, plan, names).graph };
}

/** A graph as one profile wants it, and its program; without that where the options stop before. */
interface Lowered {
  readonly profile: Profile;
  readonly graph: Graph;
  readonly program: Program | undefined;
}
function lowerFor(profile: Profile, imported: Graph, options: CompileOptions, run: Run): Lowered {
  const { name } = profile;
  const tuned = tunedFor(profile, options);
  const graph = run.phase('passes', name, () =>
    runPasses(
      imported,
      profile,
      (p, g, ms) => {
        run.pass('passes', p.name, ms);
        if (options.verifyIr === true) verifyGraph(g, p.name);
        run.stage('passes', p.name, name, 'graph', () => printGraph(g));
      },
      tuned,
    ),
  );
  if (options.stopAfter === 'passes') return { profile, graph, program: undefined };
  const program = run.phase('lower', name, () => lowerGraph(graph, profile, { ...settingsOf(options), ...(tuned && { tuned }) }));
  if (options.verifyIr === true) verifyProgram(program);
  run.stage('lower', '', name, 'program', () => printProgram(program));
  return { profile, graph, program: options.stopAfter === 'lower' ? undefined : program };
}
/** From a program to a module; undefined where the options stop before. `common`: the weights that the modules of the bundle share. */
async function emitFor(
  { profile, graph, program: lowered }: Lowered & { readonly program: Program },
  common: ReadonlySet<Slot>,
  options: CompileOptions,
  run: Run,
): Promise<CompiledModule | undefined> {
  const { name, backEnd } = profile;
  const plan = run.phase('plan', name, () => planMemory(lowered, profile, common));
  if (options.stopAfter === 'plan') return undefined;
  const program = run.phase('kernels', name, () =>
    runKernelPasses(lowered, profile, (p, after, ms) => {
      run.pass('kernels', p.name, ms);
      if (options.verifyIr === true) verifyProgram(after, p.name);
      run.stage('kernels', p.name, name, 'program', () => printProgram(after));
    }),
  );
  if (options.stopAfter === 'kernels') return undefined;
  const { file = 'model', embedBelow = profile.memory.embedBelow } = options;
  const module = await run.phaseAsync('emit', name, () =>
    backEnd.emit({ program, plan, profile, file, embedBelow, flushDenormals: flushesDenormals(graph) }),
  );
  run.stage('emit', '', name, backEnd.ending, () => backEnd.text(module.artifact));
  return module;
}
/** Products are much faster without numbers too small for full precision; a graph without any may compare such numbers. */
export const flushesDenormals = (g: Graph): boolean => (macsHi(g) ?? 0) > 0;

/** What was found best for a profile. */
function tunedFor({ name }: Profile, { tuning }: CompileOptions): Tuned | undefined {
  const steps = tuning && Object.hasOwn(tuning.steps, name) ? tuning.steps[name] : undefined;
  return tuning && steps && { file: tuning.file, steps };
}
const settingsOf = (o: CompileOptions): LowerSettings => ({
  ...(o.treeStrategy && { treeStrategy: o.treeStrategy }),
  ...(o.optimize && { optimize: o.optimize }),
});

/** A graph as it is, lowered and emitted for one profile: for tools that compile parts of a model. */
export function compileGraph(graph: Graph, profile: Profile, settings: LowerSettings = {}): Promise<CompiledModule> {
  const lowered = lowerGraph(graph, profile, settings);
  const plan = planMemory(lowered, profile);
  const program = runKernelPasses(lowered, profile);
  const { embedBelow } = profile.memory;
  const flushDenormals = flushesDenormals(graph);
  return profile.backEnd.emit({ program, plan, profile, file: graph.name, embedBelow, flushDenormals });
}

/** Imports a model as `compile` does; `onValue` is told what each name of an ONNX file became. */
export function importFor(o: CompileOptions, onValue?: (name: string, value: Value) => void): ImportedModel {
  const file = o.file ?? 'model';
  const { dims, shapes, ...chosen } = modelChoices(o);
  return importModel(o.model, {
    file,
    name: o.name ?? modelName(file),
    ...chosen,
    dims: Object.fromEntries(Object.entries(dims ?? {}).map(([name, d]) => [name, dimChoice(d)] as const)),
    ...(shapes && { shapes: shapeChoices(shapes) }),
    ...(o.external && { external: o.external }),
    ...(o.importers && { importers: o.importers }),
    ...(onValue && { onValue }),
  });
}
const shapeChoices = (shapes: NonNullable<CompileOptions['shapes']>): ShapeChoices =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, ds]) => [name, ds.map(d => (d === null ? null : dimChoice(d)))] as const),
  );
/** The importers' word for a size or its range. */
const dimChoice = (d: DimOption): DimChoice =>
  typeof d === 'number' ? d : { lo: d.min, hi: d.max, ...(d.step !== undefined && { step: d.step }) };

/** The name of a model from that of its file. */
export const modelName = (file: string): string =>
  (file.split(/[/\\]/).at(-1) ?? file).replace(/(?:\.tar)?\.[^.]*$/, '') || 'model';

function reportOf(
  o: CompileOptions,
  target: string,
  imported: ImportedModel,
  graph: Graph,
  made: readonly CompiledModule[],
  run: Run,
  digest: string,
): Report {
  const program = made[0]?.program;
  const warnings: readonly Warning[] = imported.warnings;
  return {
    name: imported.graph.name,
    target,
    source: { file: o.file ?? 'model', bytes: o.model.length, sha256: digest },
    inputs: program?.inputs.map(portReport) ?? [],
    outputs: program?.outputs.map(portReport) ?? [],
    symbols: program?.symbols ?? [],
    operators: {
      before: Object.values(imported.histogram).reduce((a, b) => a + b, 0),
      after: allNodes(graph).length,
    },
    modules: made.map(m => m.report),
    macs: macsHi(graph),
    trees: treeStats(imported.graph),
    passes: run.passes,
    phases: run.phases,
    warnings,
    files: {},
  };
}

/** Keeps the time and tells the caller what goes on. */
interface Run {
  readonly phases: { name: Phase; profile: string; ms: number }[];
  readonly passes: { phase: Phase; name: string; ms: number }[];
  phase<T>(name: Phase, profile: string, f: () => T): T;
  phaseAsync<T>(name: Phase, profile: string, f: () => Promise<T>): Promise<T>;
  pass(phase: Phase, name: string, ms: number): void;
  stage(phase: Phase, pass: string, profile: string, ending: Stage['ending'], text: () => string): void;
}
function newRun(o: CompileOptions): Run {
  const tell = (p: Progress): void => o.onProgress?.(p);
  const begin = (name: Phase, profile: string): (() => void) => {
    tell({ k: 'begin', phase: name, profile });
    const start = performance.now();
    return () => {
      const ms = performance.now() - start;
      run.phases.push({ name, profile, ms });
      tell({ k: 'end', phase: name, profile, ms });
    };
  };
  const run: Run = {
    phases: [],
    passes: [],
    phase: (name, profile, f) => {
      const end = begin(name, profile);
      const x = f();
      end();
      return x;
    },
    phaseAsync: async (name, profile, f) => {
      const end = begin(name, profile);
      const x = await f();
      end();
      return x;
    },
    pass: (phase, name, ms) => {
      run.passes.push({ phase, name, ms });
      tell({ k: 'pass', phase, pass: name, ms });
    },
    stage: (phase, pass, profile, ending, text) => o.onText?.({ phase, pass, profile, ending, text }),
  };
  return run;
}
