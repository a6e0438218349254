/** The results of a load test: lines for a terminal, and a page with a plot. */
import * as Plot from '@observablehq/plot';
import type { LoadtestResult, Step } from './loadtest.ts';
import type { Goal, Miss } from './search.ts';
import { drawSvg } from './svg.ts';

const WHY: Readonly<Record<Miss, string>> = {
  errors: 'requests fail',
  latency: 'the latency is too high',
  overloaded: 'the server does not keep up',
  generator: 'this program is too slow to say more of the server',
};
const number = (x: number): string => x.toLocaleString('en', { maximumSignificantDigits: x < 1000 ? 3 : 5 });
export const showGoal = (g: Goal): string => `p${g.percentile} < ${g.below} ms`;
const errorsOf = (s: Step): string =>
  Object.entries(s.errors)
    .map(([why, n]) => `${n} × ${why}`)
    .join(', ');
const COLUMNS = ['rate', 'answered', 'p50', 'p90', 'p99', 'p99.9', 'max'] as const;
const cells = (s: Step): string[] =>
  [s.rate, s.answered, s.latency.p50, s.latency.p90, s.latency.p99, s.latency.p999, s.latency.max].map(number);
const verdict = (s: Step): string => {
  const why = s.miss === undefined ? 'ok' : WHY[s.miss];
  return errorsOf(s) === '' ? why : `${why}: ${errorsOf(s)}`;
};
const WIDTH = 10;
export const header = (): string => `${COLUMNS.map(c => c.padStart(WIDTH)).join('')}\n`;
export const stepLine = (s: Step): string =>
  `${cells(s)
    .map(c => c.padStart(WIDTH))
    .join('')}  ${verdict(s)}\n`;

/** The result in sentences. */
export function summary(r: LoadtestResult): readonly string[] {
  if (r.best === undefined || r.scalingTarget === undefined)
    return [
      `No rate that was tried keeps ${showGoal(r.goal)} without errors: ${r.limit === undefined ? 'nothing was tried' : WHY[r.limit]}.`,
    ];
  const above = r.limit === undefined ? 'Nothing higher was tried' : `Above it ${WHY[r.limit]}`;
  const share = r.instances === 1 ? '' : ` / ${r.instances} instances`;
  return [
    `${number(r.best)} requests a second keep ${showGoal(r.goal)} without errors. ${above}.`,
    `Scaling target: ${number(r.best)}${share} × ${r.safetyFactor} × 60 = ${Math.floor(r.scalingTarget)} invocations a minute for each instance.`,
  ];
}

const escape = (text: string): string => text.replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);
const SERIES = [
  { key: 'p50', text: 'median', colour: '#7fb0cf' },
  { key: 'p99', text: '99th percentile', colour: '#22658f' },
  { key: 'p999', text: '99.9th percentile', colour: '#6a4c93' },
] as const;
const GOAL = '#c8374c';

/** Latency over the rate, with the goal. */
function plot(r: LoadtestResult): string {
  const steps = [...r.steps].sort((a, b) => a.rate - b.rate);
  const lines = SERIES.flatMap(({ key, colour }) => {
    const at = { x: (s: Step) => s.rate, y: (s: Step) => s.latency[key], stroke: colour };
    return [
      Plot.lineY(steps, { ...at, strokeOpacity: 0.5 }),
      Plot.dot(steps, { ...at, fill: (s: Step) => (s.miss === undefined ? colour : 'white'), r: 4 }),
    ];
  });
  return drawSvg(
    {
      width: 900,
      height: 420,
      x: { label: 'requests a second', labelAnchor: 'center', labelArrow: 'none', nice: true, zero: true },
      y: { label: 'ms', type: 'log', grid: true },
      color: { type: 'identity' },
      marks: [
        ...lines,
        Plot.ruleY([r.goal.below], { stroke: GOAL, strokeDasharray: '6 4' }),
        ...(r.best === undefined ? [] : [Plot.ruleX([r.best], { stroke: GOAL, strokeDasharray: '6 4' })]),
      ],
    },
    [...SERIES, { text: `goal: ${showGoal(r.goal)}; rings miss it or have errors`, colour: GOAL }],
  );
}
/** The result as one page that loads nothing. */
export function html(r: LoadtestResult): string {
  const row = (tag: string, all: readonly string[]): string =>
    `<tr>${all.map(c => `<${tag}>${escape(c)}</${tag}>`).join('')}</tr>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Load test of ${escape(r.url)}</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
svg { max-width: 100%; height: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #ddd; } th:last-child, td:last-child { text-align: left; }</style></head>
<body><main><h1>Load test</h1><p>${escape(r.url)}</p>${summary(r)
    .map(s => `<p>${escape(s)}</p>`)
    .join('')}
${r.steps.length === 0 ? '' : plot(r)}
<p>Rates are requests a second, latencies milliseconds from the moment at which a request was to be sent.</p>
<table>${row('th', [...COLUMNS, ''])}
${r.steps.map(s => row('td', [...cells(s), verdict(s)])).join('\n')}</table>
</main></body></html>
`;
}
