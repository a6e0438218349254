import { quoteHtml } from '../../compiler/core/quote.ts';

/**
 * Plots as HTML that the page lays out by itself, so that they are as wide as the screen and their text as large as all text. The few kinds
 * that a report needs are less code than what a library needs to be asked for them, and nothing is loaded.
 */

/** A scale of powers of ten, from the data's ends outwards. */
interface Scale {
  /** Per cent of the width. */
  at(x: number): number;
  readonly ticks: readonly number[];
}
/** `most`: ticks beyond so many are thinned out. */
export function logScale(values: readonly number[], most = 7): Scale {
  const good = values.filter(x => x > 0 && Number.isFinite(x));
  const [least, top] = good.length === 0 ? [1, 10] : [Math.min(...good), Math.max(...good)];
  const [from, to] = [Math.log10(least) - 0.08, Math.log10(top) + 0.08];
  const width = Math.max(to - from, 0.3);
  const steps = width < 1.2 ? [1, 1.5, 2, 3, 5, 7] : width < 3.5 ? [1, 2, 5] : [1];
  const all: number[] = [];
  for (let e = Math.floor(from) - 1; e <= Math.ceil(to); e++)
    for (const s of steps) if (Math.log10(s) + e >= from && Math.log10(s) + e <= from + width) all.push(s * 10 ** e);
  const every = Math.ceil(all.length / most);
  const one = all.findIndex(x => Math.abs(x - 1) < 1e-9);
  return {
    at: x => Math.min(100, Math.max(0, (100 * (Math.log10(Math.max(x, 1e-300)) - from)) / width)),
    ticks: all.filter((_, i) => i % every === (one < 0 ? 0 : one % every)),
  };
}
const pct = (x: number): string => `${x.toFixed(2)}%`;

/** A point, with its range where there is one. */
export interface Mark {
  readonly series: number;
  readonly at: number;
  readonly lo?: number;
  readonly hi?: number;
  /** What a pointer that rests on it is told. */
  readonly title: string;
}
export interface PlotRow {
  readonly label: string;
  readonly note: string;
  readonly marks: readonly Mark[];
  /** What is said at the right; nothing: no column. */
  readonly value: string;
}
/** One row a model: points and ranges on a common scale. `line`: a value that all are compared with. */
export function dotPlot(o: {
  readonly rows: readonly PlotRow[];
  readonly scale: Scale;
  readonly tick: (x: number) => string;
  readonly line?: number;
  readonly caption: string;
}): string {
  const { scale } = o;
  const grid = scale.ticks.map(x => `<i style="left:${pct(scale.at(x))}"${x === o.line ? ' class="line"' : ''}></i>`).join('');
  const ticks = scale.ticks.map(x => `<span style="left:${pct(scale.at(x))}">${quoteHtml(o.tick(x))}</span>`).join('');
  const rows = o.rows.map(r => {
    const marks = r.marks.map(m => {
      const range =
        m.lo === undefined || m.hi === undefined
          ? ''
          : `<u class="s${m.series}" style="left:${pct(scale.at(m.lo))};width:${pct(scale.at(m.hi) - scale.at(m.lo))}"></u>`;
      return `${range}<b class="s${m.series}" style="left:${pct(scale.at(m.at))}" title="${quoteHtml(m.title)}"></b>`;
    });
    return `<div class="row"><div class="name">${quoteHtml(r.label)} <small>${quoteHtml(r.note)}</small></div><div class="track">${grid}${marks.join('')}</div><div class="value">${r.value}</div></div>`;
  });
  return `<div class="plot" role="img" aria-label="${quoteHtml(o.caption)}"><div class="row axis"><div class="name"></div><div class="track">${ticks}</div><div class="value"></div></div>${rows.join('')}</div>`;
}

/** Bars of one scale that begins at 0 at the left: parts of a whole, such as shares of the time. */
export const bar = (part: number, series: number): string =>
  `<div class="bar"><div class="s${series}" style="width:${pct(Math.min(100, 100 * part))}"></div></div>`;

interface RooflinePoint {
  /** Additions and multiplications for each byte that moves. */
  readonly intensity: number;
  readonly gflops: number;
  /** Of the whole run, 0 to 1: the size of the point. */
  readonly share: number;
  readonly title: string;
  readonly bound: 'arithmetic' | 'memory';
}
/** How fast each operator is, by how much it computes for each byte, below what the machine can do. */
export function roofline(points: readonly RooflinePoint[], peak: { readonly gflops: number; readonly gbytes: number }): string {
  const ridge = peak.gflops / peak.gbytes;
  const x = logScale([...points.map(p => p.intensity), ridge / 4, ridge * 4]);
  const y = logScale([...points.map(p => p.gflops), peak.gflops], 6);
  const up = (v: number): number => 100 - y.at(v);
  // The roof is a line to the ridge and a level from there, both straight on scales of logarithms.
  const left = 10 ** (Math.log10(ridge) - 12);
  const slope = [left, ridge].map(
    v => `${rawAt(x, v).toFixed(2)},${(100 - rawAt(y, Math.min(peak.gflops, v * peak.gbytes))).toFixed(2)}`,
  );
  const roof = `<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><polyline points="${slope.join(' ')} 200,${up(peak.gflops).toFixed(2)}"/></svg>`;
  const grid = [
    ...x.ticks.map(
      v => `<i class="v" style="left:${pct(x.at(v))}"></i><span class="x" style="left:${pct(x.at(v))}">${short(v)}</span>`,
    ),
    ...y.ticks.map(
      v => `<i class="h" style="top:${pct(up(v))}"></i><span class="y" style="top:${pct(up(v))}">${short(v)}</span>`,
    ),
  ].join('');
  const dots = [...points]
    .sort((a, b) => b.share - a.share)
    .map(p => {
      const size = 6 + 26 * Math.sqrt(p.share);
      return `<b class="${p.bound}" style="left:${pct(x.at(p.intensity))};top:${pct(up(p.gflops))};width:${size.toFixed(1)}px;height:${size.toFixed(1)}px" title="${quoteHtml(p.title)}"></b>`;
    });
  return `<figure class="roof" role="img" aria-label="Operators below the limit of the machine">
<div class="area">${grid}${roof}${dots.join('')}</div>
<figcaption>across: floating-point operations for each byte; up: GFLOP/s; the line: what this machine can do (${short(peak.gflops)} GFLOP/s, ${short(peak.gbytes)} GB/s, measured); points as large as their share of the time, <em class="arithmetic">limited by arithmetic</em> or <em class="memory">by memory</em></figcaption></figure>`;
}
/** A scale's place without its ends. */
function rawAt(s: Scale, v: number): number {
  const [a = 1, b = 10] = s.ticks.length > 1 ? s.ticks : [1, 10];
  const slope = (s.at(b) - s.at(a)) / Math.log10(b / a);
  return s.at(a) + slope * Math.log10(v / a);
}
export const short = (x: number): string =>
  x === 0 ? '0' : x >= 1e4 || x < 1e-3 ? x.toExponential(0) : String(Number(x.toPrecision(2)));
