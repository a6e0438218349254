import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onnxOps } from '../../compiler/import/onnx/ops/index.ts';
import { sequenceOps } from '../../compiler/import/onnx/ops/sequence.ts';
import type { Outcome } from './outcome.ts';
import type { Way } from './runners.ts';

export interface CaseRow {
  readonly suite: string;
  readonly name: string;
  readonly operators: readonly string[];
  readonly outcomes: Outcome[];
}
/** Where the standard's cases stand; `conformance.test.ts` holds all of it. */
export interface Floor {
  /** How many cases of each suite pass. */
  readonly passed: Readonly<Record<string, number>>;
  /** All others, `suite/name`, by how they end: `E106` for one that is refused, or what Outcome calls it. */
  readonly rest: Readonly<Record<string, readonly string[]>>;
}
export const floorFile = fileURLToPath(new URL('./floor.json', import.meta.url));
const tableFile = fileURLToPath(new URL('./OPERATORS.md', import.meta.url));

/** The operator that a case is about: the only one, or the one that its name begins with. */
export function subject(r: CaseRow): string {
  const [first = 'none', ...more] = r.operators;
  if (more.length === 0) return first;
  const words = r.name.replace(/^test_(?:ai_onnx_ml_)?/, '').replaceAll('_', '');
  const fits = r.operators.filter(o => words.startsWith((o.split('.').at(-1) ?? '').toLowerCase()));
  return fits.sort((a, b) => b.length - a.length)[0] ?? first;
}
const isExpanded = (r: CaseRow): boolean => r.name.includes('_expanded');

export const outcomeOf = (r: CaseRow, way: Way): Outcome | undefined => r.outcomes.find(o => o.way === way);
const passed = (rows: readonly CaseRow[], way: Way): number => rows.filter(r => outcomeOf(r, way)?.k === 'passed').length;
export function groups<R, K extends string>(rows: readonly R[], key: (r: R) => K): [K, R[]][] {
  const all = new Map<K, R[]>();
  for (const r of rows) all.set(key(r), [...(all.get(key(r)) ?? []), r]);
  return [...all];
}
/** Why cases do not pass, the most frequent first. */
export function reasons(rows: readonly CaseRow[], way: Way): string[] {
  const count = new Map<string, number>();
  const types = new Map<string, number>();
  for (const r of rows) {
    const o = outcomeOf(r, way);
    if (!o || o.k === 'passed') continue;
    const why = (o.why ?? '')
      .split('\n')
      .map(s => s.trim())
      .join(' ')
      .replaceAll(/; first '[^']*'/g, '');
    const type = o.code === 'E106' ? /^type ([\w(),]+)/.exec(why)?.[1] : undefined;
    if (type !== undefined) types.set(type, (types.get(type) ?? 0) + 1);
    else {
      const short = o.code === 'E103' ? why.replace(/^.*does not support: /, 'no ') : why;
      const text = `${o.code ?? o.k}: ${short.length > 160 ? `${short.slice(0, 160)}…` : short}`;
      count.set(text, (count.get(text) ?? 0) + 1);
    }
  }
  const all = [...types.values()].reduce((a, b) => a + b, 0);
  if (all > 0) count.set(`E106: values of type ${[...types.keys()].sort().join(', ')}`, all);
  return [...count].sort((a, b) => b[1] - a[1]).map(([text, n]) => (n > 1 ? `${text} (${n})` : text));
}

/** A few lines for the terminal: by suite, and what stands in the way most often. */
export function summary(rows: readonly CaseRow[], ways: readonly Way[]): string {
  const out: string[] = [];
  for (const way of ways) {
    out.push(`on ${way}:`);
    for (const [suite, list] of suitesOf(rows)) {
      const n = (k: Outcome['k']): number => list.filter(r => outcomeOf(r, way)?.k === k).length;
      out.push(
        `  ${suite.padEnd(18)} ${String(n('passed')).padStart(5)} of ${list.length} pass; ${n('refused')} refused, ${n('wrong')} wrong, ${n('broken')} broken, ${n('skipped')} skipped`,
      );
    }
    const by = groups(rows, subject)
      .map(([op, list]) => ({ op, n: list.length, good: passed(list, way) }))
      .filter(g => g.good < g.n)
      .sort((a, b) => b.n - b.good - (a.n - a.good));
    if (by.length > 0) out.push(`  not all: ${by.map(g => `${g.op} ${g.good}/${g.n}`).join(', ')}`);
  }
  return out.join('\n');
}

/** How all cases end. */
export function endsOf(rows: readonly CaseRow[], way: Way): Floor {
  const end = (r: CaseRow): string => {
    const o = outcomeOf(r, way);
    return o?.code ?? o?.k ?? 'not run';
  };
  const rest = groups(
    rows.filter(r => end(r) !== 'passed'),
    end,
  ).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return {
    passed: Object.fromEntries(suitesOf(rows).map(([s, list]) => [s, passed(list, way)])),
    rest: Object.fromEntries(rest.map(([e, list]) => [e, list.map(r => `${r.suite}/${r.name}`)])),
  };
}
/** How cases end in all ways, as text; throws where a case ends in one way otherwise than in another. */
export function commonEnds(rows: readonly CaseRow[], ways: readonly Way[]): string {
  const [first, ...more] = ways.map(w => JSON.stringify(endsOf(rows, w), undefined, 2));
  const odd = more.findIndex(text => text !== first);
  if (odd >= 0) throw new Error(`cases end otherwise in ${ways[0] ?? ''} than in ${ways[odd + 1] ?? ''}: nothing was written`);
  return `${first ?? ''}\n`;
}
/** Writes the table of operators and the floor of ONNX's cases. */
export function writeOnnxReport(rows: readonly CaseRow[], ways: readonly Way[]): void {
  writeFileSync(floorFile, commonEnds(rows, ways));
  writeFileSync(tableFile, table(rows, ways));
}

/** A line of a Markdown table. */
export const line = (cells: readonly string[]): string =>
  `| ${cells.map(s => s.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

function table(rows: readonly CaseRow[], ways: readonly Way[]): string {
  const cases = (list: readonly CaseRow[]): string[] => [String(list.length), ...ways.map(w => String(passed(list, w)))];
  const head = (first: readonly string[]): string[] => {
    const cells = [...first, 'cases', ...ways];
    return [line(cells), line(cells.map((_, i) => (i < first.length ? '---' : '---:')))];
  };
  const last = ways.at(-1) ?? 'evaluate';
  const out = [
    '# ONNX operators',
    '',
    "How many of ONNX's own backend tests, as the wheel onnx holds them, pass, by operator and by way of running them. Made by `npm run conformance -- --on all --write`; do not edit.",
    '',
    ...head(['suite']),
    ...suitesOf(rows).map(([s, list]) => line([s, ...cases(list)])),
    '',
    '## By operator',
    'A case counts for the operator that it is named for. Operators that ONNX defines as functions have their cases twice: as they are,',
    'and `expanded`, as their definition in other operators.',
    '',
    ...[...head(['operator'])].map((s, i) =>
      i === 0 ? s.replace(/\|$/, '| what the rest says |') : s.replace(/\|$/, '| --- |'),
    ),
    ...groups(
      rows.filter(r => r.suite === 'node' && !isExpanded(r)),
      subject,
    )
      .sort((a, b) => (a[0].toLowerCase() < b[0].toLowerCase() ? -1 : 1))
      .map(([op, list]) => line([op, ...cases(list), reasons(list, last).join('; ')])),
    '',
    '## Without a case of their own',
    '',
    `Imported too: ${untested(rows).join(', ')}.`,
    '',
    '## Other cases that do not pass',
    '',
    ...rows
      .filter(r => outcomeOf(r, last)?.k !== 'passed' && (r.suite !== 'node' || isExpanded(r)))
      .map(r => `- ${r.suite}/${r.name}: ${reasons([r], last).join('; ')}`),
  ];
  return `${out.join('\n')}\n`;
}
/** Operators that are imported and that no case of the suite node is about. */
function untested(rows: readonly CaseRow[]): string[] {
  const seen = new Set(rows.flatMap(r => [subject(r), ...r.operators]));
  return [...onnxOps.keys(), ...sequenceOps.keys()].filter(op => !seen.has(op)).sort();
}
export const suitesOf = (rows: readonly CaseRow[]): [string, CaseRow[]][] => groups(rows, r => r.suite);
