import { showBytes, table } from '../../compiler/core/format.ts';
import type { BenchResult, CaseFigures, CaseResult, Runtime, PeerName, OperatorTimes, Ratio, Run } from '../engine/result.ts';
import { geomean, relativeSpread } from '../engine/statistics.ts';

/** Milliseconds with three digits. */
const ms = (x: number): string => (x < 0.01 ? `${(1000 * x).toPrecision(3)} µs` : `${Number(x.toPrecision(3))} ms`);
const percent = (x: number): string => `±${(100 * x).toFixed(x < 0.01 ? 1 : 0)} %`;
const factor = (x: number): string => (x < 10 ? x.toFixed(2) : x.toFixed(1));
const ratio = (r: Ratio): string => `${factor(r.median)} (${factor(r.lo)} to ${factor(r.hi)})`;

/** What a case gave, in tables. */
export function showCase(c: CaseResult): string {
  const { outcome } = c;
  const head = `${c.name} for ${c.target}`;
  if (outcome.k === 'failed') return `${head}: failed: ${outcome.message}\n`;
  const compiled = outcome.compileMs === undefined ? '' : `compiled in ${(outcome.compileMs / 1000).toFixed(2)} s, `;
  const module = outcome.profile === c.target ? '' : `, module ${outcome.profile}`;
  return [
    `${head}: ${compiled}arena ${showBytes(outcome.arena)}${module}\n`,
    ...outcome.runs.map(showRun),
    footprints(outcome),
    ...(outcome.operatorTimes ?? []).map(showOperators),
    ...outcome.runtimes.map(absent),
  ].join('');
}
function showRun(r: Run): string {
  const rows = r.times.map(t => {
    const to = r.ratios.find(x => x.to === t.name);
    const apart = r.differences.find(d => d.to === t.name)?.outputs.map(o => o.relative ?? Infinity);
    return [
      t.name,
      ms(t.median),
      ms(t.min),
      percent(relativeSpread(t)),
      to ? ratio(to) : '',
      apart === undefined || apart.length === 0 ? '' : difference(Math.max(...apart)),
    ];
  });
  const head = [r.label, 'median', 'min', 'spread', 'sinter is faster', 'answers differ'];
  return (
    table([head, ...rows], [1, 2, 3, 4, 5]) + r.failures.map(f => `  ${f.name} stops on these inputs: ${f.message}\n`).join('')
  );
}
const difference = (x: number): string => (x === 0 ? 'same bits' : x === Infinity ? 'wholly' : x.toExponential(0));
function footprints(c: CaseFigures): string {
  const rows = c.runtimes.flatMap(x =>
    x.k !== 'ran'
      ? []
      : [
          [
            `${x.name} ${x.version}`,
            x.coldStart ? ms(x.coldStart.median) : '',
            x.memory === undefined ? '' : showBytes(x.memory),
            ...(['disk', 'gzip', 'brotli'] as const).map(k => (x.size?.code[k] === undefined ? '' : showBytes(x.size.code[k]))),
            x.size ? (x.size.weights.disk === 0 ? 'inside' : showBytes(x.size.weights.disk)) : '',
          ],
        ],
  );
  const [ours] = c.runtimes;
  const idle = ours?.k === 'ran' ? ours.idle : undefined;
  if (idle) rows.unshift(['an empty module', ms(idle.median), '', '', '', '', '']);
  const head = ['a fresh process', 'cold start', 'memory', 'code', 'gzip', 'brotli', 'weights'];
  return table([head, ...rows], [1, 2, 3, 4, 5, 6]);
}
function absent(c: Runtime): string {
  switch (c.k) {
    case 'ran':
      return '';
    case 'missing':
      return `  ${c.name} is not installed: ${c.how}\n`;
    case 'unsuited':
      return `  ${c.name} did not run: ${c.why}\n`;
    case 'failed':
      return `  ${c.name}${c.version === undefined ? '' : ` ${c.version}`} failed: ${c.message}\n`;
  }
}

/** At most so many operators are shown, the slowest. */
const SHOWN = 25;
function showOperators(p: OperatorTimes): string {
  const rows = p.rows
    .slice(0, SHOWN)
    .map(r => [
      r.what,
      r.calls === 1 ? '' : `${r.calls} times`,
      ms(r.ms),
      `${(100 * r.share).toFixed(1)} %`,
      r.gflops === undefined ? '' : r.gflops.toFixed(1),
      r.gbytes.toFixed(1),
      `${(100 * r.efficiency).toFixed(0)} % of ${r.bound}`,
      shorten(r.nodes),
    ]);
  const rest = p.rows.length > SHOWN ? `  and ${p.rows.length - SHOWN} more\n` : '';
  const about = `  ${p.label}: ${ms(p.whole)} a run, ${ms(p.steps)} in its steps; the machine's peak: ${p.peak.gflops.toFixed(1)} GFLOP/s, ${p.peak.gbytes.toFixed(1)} GB/s\n`;
  const head = ['step', '', 'time', 'share', 'GFLOP/s', 'GB/s', 'of the limit', 'nodes'];
  return about + table([head, ...rows], [2, 3, 4, 5]) + rest;
}
function shorten(nodes: readonly string[]): string {
  const text = nodes.join(', ');
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** Geometric means over all runs of all cases, by peer. */
export function showSummary(r: BenchResult): string {
  const by = new Map<PeerName, number[]>();
  for (const c of r.cases)
    for (const run of c.outcome.k === 'done' ? c.outcome.runs : [])
      for (const x of run.ratios)
        if (x.to !== 'calibration') {
          const list = by.get(x.to) ?? [];
          by.set(x.to, list);
          list.push(x.median);
        }
  const failed = r.cases.filter(c => c.outcome.k === 'failed').length;
  const lines = [...by].map(
    ([name, all]) =>
      `times faster than ${name}: ${factor(geomean(all))} in the geometric mean of ${all.length}, least ${factor(Math.min(...all))}\n`,
  );
  const { machine: m, settings: s } = r;
  return [
    ...lines,
    ...(failed > 0 ? [`${failed} of ${r.cases.length} failed\n`] : []),
    `${m.cpu}, ${m.engine}; ${s.threads} thread${s.threads === 1 ? '' : 's'}, ${s.processes} × ${s.rounds} rounds in turns; spread: half the distance of the quartiles\n`,
  ].join('');
}
