import { fail, InternalError } from '../core/diagnostic.ts';
import { writeFile } from '../host/files.ts';
import { readSuite, type Suite, type SuiteModel, type SuiteTarget } from '../../bench/suite/suite.ts';
import { many, showBytes, table } from '../core/format.ts';
import { UsageError, type ExitCode, type Terminal } from './terminal.ts';
import {
  BASELINE_VERSION,
  baselineText,
  readBaseline,
  type ModelBaseline,
  type Speed,
  type TargetBaseline,
} from '../../bench/regress/baseline.ts';
import { differences, type Finding } from '../../bench/regress/difference.ts';
import { geomean } from '../../bench/engine/statistics.ts';
import { measureSpeed } from '../../bench/regress/speed.ts';
import { measure, type Compile, type Figures } from '../../bench/regress/measure.ts';

export const PARTS = ['accuracy', 'size', 'speed'] as const;
export type Part = (typeof PARTS)[number];
export interface RegressFlags {
  readonly suite: string;
  readonly baseline: string;
  readonly update?: boolean;
  readonly only: readonly Part[];
  readonly filter?: string;
  /** Of the speed, as for `sinter bench`. */
  readonly rounds: number;
  readonly seconds: number;
  readonly processes: number;
}
/** What is measured: tests put something else in its place. */
export interface Ways {
  readonly compile?: Compile;
}

/** A model for one target: what was found, or why nothing was. */
type Row = { readonly model: SuiteModel; readonly target: SuiteTarget } & (
  | {
      readonly k: 'measured';
      readonly sha256: string;
      readonly figures: Figures | undefined;
      readonly part: TargetBaseline;
      readonly findings: readonly Finding[];
    }
  | { readonly k: 'failed'; readonly message: string }
);

/**
 * `sinter regress`: measures the models of a suite and compares with the baseline. Exit code 3 where something is worse, 0 where all is as it
 * was or better; `--update` writes what is found.
 */
export async function regressCommand(o: RegressFlags, t: Terminal, ways: Ways = {}): Promise<ExitCode> {
  const suite = readSuite(o.suite);
  const baseline = readBaseline(o.baseline);
  if (!baseline && o.update !== true)
    throw new UsageError(`--baseline ${o.baseline}: there is none yet; --update makes it of what is found now`);
  const wanted = suite.models.filter(m => o.filter === undefined || m.name.includes(o.filter));
  if (wanted.length === 0) throw new UsageError(`--filter ${o.filter ?? ''}: no model of ${o.suite} has this in its name`);
  const passed = absent(suite, wanted);
  const rows: Row[] = [];
  for (const model of wanted.filter(m => m.here))
    for (const target of model.targets) {
      if (t.live) t.err(`\r\x1b[K${model.name} for ${target.name} …`);
      const before = baseline?.models[model.name];
      const row = await measured(model, target, before, o, ways);
      if (t.live) t.err('\r\x1b[K');
      rows.push(row);
      t.out(showRow(row, before?.targets[target.name]));
    }
  for (const m of passed) t.out(`${m.name}: not measured, its file is not here: ${suite.missing ?? m.path}\n`);
  const gone = o.filter === undefined ? removed(suite, baseline?.models ?? {}) : [];
  if (o.update === true) {
    writeFile(o.baseline, baselineText({ version: BASELINE_VERSION, models: updated(rows, passed, baseline?.models ?? {}, o) }));
    t.out(`${o.baseline} holds what was found\n`);
    return rows.some(r => r.k === 'failed') ? 3 : 0;
  }
  for (const name of gone) t.out(`${name}: is in the baseline, and not in the suite\n`);
  return verdict(rows, gone.length, t);
}

/** Models whose files are not here. E205 where the suite does not say what brings them, or where nobody would notice. */
function absent(suite: Suite, models: readonly SuiteModel[]): readonly SuiteModel[] {
  const out = models.filter(m => !m.here);
  const [first] = out;
  if (first && (suite.missing === undefined || process.env['CI'] !== undefined))
    fail(
      'E205',
      { file: first.path, why: `there is no such file${suite.missing === undefined ? '' : `; ${suite.missing} brings it`}` },
      { k: 'file', file: suite.file, what: first.name },
    );
  return out;
}
async function measured(
  model: SuiteModel,
  target: SuiteTarget,
  before: ModelBaseline | undefined,
  o: RegressFlags,
  ways: Ways,
): Promise<Row> {
  try {
    const exact = o.only.includes('accuracy') || o.only.includes('size');
    const figures = exact ? await measure(model, target, ways.compile) : undefined;
    const timed = o.only.includes('speed') ? await measureSpeed(model, target, o) : undefined;
    const sha256 = figures?.sha256 ?? timed?.sha256 ?? '';
    const part: TargetBaseline = {
      ...(o.only.includes('accuracy') && figures?.accuracy && { accuracy: figures.accuracy }),
      ...(o.only.includes('size') && figures && { size: figures.size }),
      ...(timed && { speed: timed.speed }),
    };
    const then = before?.targets[target.name];
    const findings: Finding[] = [
      ...(before && before.sha256 !== sha256
        ? [{ what: 'the model itself', before: before.sha256.slice(0, 12), now: sha256.slice(0, 12), worse: true }]
        : []),
      ...(then ? differences(then, part) : [{ what: 'baseline', before: 'none', now: 'measured', worse: true }]),
      ...(o.only.includes('size') && figures?.large !== undefined
        ? [{ what: 'download', before: 'the model and 100 KB with gzip, at most', now: figures.large, worse: true }]
        : []),
      ...(figures?.apart ?? []).map(what => ({ what: 'diverges from its framework', before: 'no', now: what, worse: true })),
    ];
    return { k: 'measured', model, target, sha256, figures, part, findings };
  } catch (e) {
    // What is wrong with us ends the run; what is wrong with one model is a line of it.
    if (e instanceof InternalError || !(e instanceof Error)) throw e;
    return { k: 'failed', model, target, message: e.message };
  }
}
const removed = (suite: Suite, before: Readonly<Record<string, ModelBaseline>>): string[] =>
  Object.keys(before).filter(name => !suite.models.some(m => m.name === name));

function showRow(r: Row, before: TargetBaseline | undefined): string {
  const name = `${r.model.name} for ${r.target.name}`;
  if (r.k === 'failed') return `${name}: failed: ${r.message}\n`;
  const told = [...(r.figures ? [showFigures(r.figures)] : []), ...(r.part.speed ? [showSpeed(r.part.speed)] : [])];
  const head = `${name}: ${told.join('; ')}\n`;
  if (r.findings.length === 0 || !before) return head;
  const rows = r.findings.map(f => [f.worse ? 'worse' : 'better', f.what, f.before, f.now]);
  return head + table([['', '', 'before', 'now'], ...rows]);
}
function showFigures({ accuracy, size, task }: Figures): string {
  const doing = task
    ? `, ${task.ours.what} ${Number(task.ours.value.toPrecision(4))} (reference ${Number(task.reference.toPrecision(4))})`
    : '';
  const worst = (list: Readonly<Record<string, { readonly abs: number }>>): string =>
    Math.max(0, ...Object.values(list).map(x => x.abs)).toExponential(1);
  const { framework } = accuracy ?? {};
  const peer = framework ? ` (${framework.by}: ${worst(framework.outputs)})` : '';
  const diverges = accuracy ? `diverges from ${accuracy.reference} by ${worst(accuracy.outputs)}${peer}${doing}; ` : '';
  const download = size.download === undefined ? '' : `, download ${size.download} times the model`;
  return `${diverges}code ${showBytes(size.code)}, arena ${showBytes(size.arena)}${download}`;
}
/** The geometric means over the runs. */
function showSpeed(s: Speed): string {
  const by = new Map<string, number[]>();
  for (const run of Object.values(s.runs))
    for (const [who, r] of Object.entries(run)) by.set(who, [...(by.get(who) ?? []), r.median]);
  return [...by]
    .map(
      ([who, all]) =>
        `${who === 'calibration' ? 'the calibration loop' : who} takes ${geomean(all).toPrecision(3)} times as long`,
    )
    .join(', ');
}
function verdict(rows: readonly Row[], gone: number, t: Terminal): ExitCode {
  const worse = rows.flatMap(r => (r.k === 'measured' ? r.findings.filter(f => f.worse) : []));
  const better = rows.flatMap(r => (r.k === 'measured' ? r.findings.filter(f => !f.worse) : []));
  const failed = rows.filter(r => r.k === 'failed').length;
  const also = better.length === 0 ? '' : `; ${many(better.length, 'figure')} better, which --update keeps`;
  if (worse.length + failed + gone === 0) {
    t.out(`nothing is worse in ${many(rows.length, 'compiled model')}${also}\n`);
    return 0;
  }
  const parts = [
    ...(worse.length > 0 ? [`${many(worse.length, 'figure')} worse`] : []),
    ...(failed > 0 ? [`${many(failed, 'model')} failed`] : []),
    ...(gone > 0 ? [`${many(gone, 'model')} gone`] : []),
  ];
  t.out(`${parts.join(', ')}${also}. If that is meant, --update makes it the baseline.\n`);
  return 3;
}

/** The new baseline: what was measured, and what was not from before. */
function updated(
  rows: readonly Row[],
  passed: readonly SuiteModel[],
  before: Readonly<Record<string, ModelBaseline>>,
  o: RegressFlags,
): Record<string, ModelBaseline> {
  const out: Record<string, ModelBaseline> = {};
  const kept = o.filter === undefined ? passed.map(m => m.name) : Object.keys(before);
  for (const name of kept) if (before[name]) out[name] = before[name];
  for (const r of rows) {
    if (r.k === 'failed') continue;
    const { name } = r.model;
    const { sha256 } = r;
    const had = before[name]?.sha256 === sha256 ? before[name].targets[r.target.name] : undefined;
    const targets = { ...(out[name]?.sha256 === sha256 && out[name].targets), [r.target.name]: { ...had, ...r.part } };
    out[name] = { sha256, targets };
  }
  return out;
}
