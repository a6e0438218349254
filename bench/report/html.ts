import { showBytes } from '../../compiler/core/format.ts';
import { quoteHtml } from '../../compiler/core/quote.ts';
import { bar, dotPlot, logScale, roofline, short, type Mark, type PlotRow } from './plot.ts';
import { STYLE } from './style.ts';
import type { Bytes } from '../../compiler/host/packed.ts';
import type { BenchResult, CaseFigures, CaseResult, Runtime, PeerName, OperatorTimes, Run } from '../engine/result.ts';
import { geomean, relativeSpread } from '../engine/statistics.ts';

/** A case that was measured, and its group. */
interface Measured {
  readonly name: string;
  readonly doc: string;
  readonly group: string;
  readonly target: string;
  readonly figures: CaseFigures;
}

/** A benchmark's result as one page: tables and plots, light and dark, for wide and narrow screens. It loads nothing. */
export function reportHtml(r: BenchResult): string {
  const done = r.cases.flatMap((c): Measured[] =>
    c.outcome.k === 'done'
      ? [{ name: c.name, doc: c.doc ?? '', group: c.group ?? 'Models', target: c.target, figures: c.outcome }]
      : [],
  );
  const peers = peersOf(done);
  const sections = [
    speed(done, peers),
    accuracy(done, peers),
    sizes(done, peers),
    starts(done, peers),
    operators(done),
    troubles(r.cases, done),
    method(r, done, peers),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Sinter: benchmark</title><style>${STYLE}</style></head>
<body><main>
<h1>Compiled by Sinter, beside what runs the models otherwise</h1>
<p class="soft">${done.length} models compiled by Sinter ${quoteHtml(r.sinter)}, measured in turns with ${quoteHtml(listed(peers.map(p => p.shown)))} on the same inputs. ${quoteHtml(r.machine.cpu)}, ${quoteHtml(r.machine.engine)}, ${threads(r)}.</p>
${tiles(done, peers)}
${sections.filter(s => s !== '').join('\n')}
</main></body></html>
`;
}
const threads = (r: BenchResult): string => (r.settings.threads === 1 ? 'one thread each' : `${r.settings.threads} threads each`);
const listed = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? 'nothing else') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;

/** A peer that ran at least once; `series` is its colour. */
interface PeerColour {
  readonly name: PeerName;
  readonly shown: string;
  readonly series: number;
}
function peersOf(done: readonly Measured[]): PeerColour[] {
  const seen = new Map<PeerName, string>();
  for (const m of done) for (const c of m.figures.runtimes) if (c.k === 'ran' && c.name !== 'sinter') seen.set(c.name, c.version);
  return [...seen].map(([name, version], i) => ({ name, shown: `${name} ${version}`, series: (i % 4) + 1 }));
}
const legend = (peers: readonly PeerColour[], ours = false): string =>
  `<div class="legend">${ours ? '<span class="s0">Sinter</span>' : ''}${peers.map(p => `<span class="s${p.series}">${quoteHtml(p.shown)}</span>`).join('')}</div>`;

const factor = (x: number): string => `${x < 10 ? x.toFixed(x < 1 ? 2 : 1) : x.toFixed(0)}×`;
const ms = (x: number): string => (x < 1 ? `${Number((1000 * x).toPrecision(3))} µs` : `${Number(x.toPrecision(3))} ms`);
const runsOf = (m: Measured): readonly Run[] => m.figures.runs;
const ran = (m: Measured, name: Runtime['name']): Extract<Runtime, { k: 'ran' }> | undefined =>
  m.figures.runtimes.find((c): c is Extract<Runtime, { k: 'ran' }> => c.k === 'ran' && c.name === name);

/** What goes over the wire; what is too large to be packed for a report as it is. */
const packed = (b: Bytes): number => b.gzip ?? b.disk;
function sizeOf(m: Measured, name: Runtime['name']): number | undefined {
  const size = ran(m, name)?.size;
  return size && packed(size.code);
}

function tiles(done: readonly Measured[], peers: readonly PeerColour[]): string {
  const tile = (figure: string, what: string): string =>
    `<div class="tile"><strong>${figure}</strong><span>${quoteHtml(what)}</span></div>`;
  const ratios = peers.flatMap(p => {
    const all = ratiosTo(done, p.name);
    const ahead = all.filter(x => x > 1).length;
    return all.length === 0
      ? []
      : [tile(factor(geomean(all)), `the speed of ${p.name}: geometric mean of ${all.length} runs, ahead in ${ahead}`)];
  });
  const code = done.flatMap(m => sizeOf(m, 'sinter') ?? []);
  const theirs = Math.max(0, ...done.flatMap(m => sizeOf(m, 'onnxruntime-web') ?? []));
  const size =
    code.length === 0
      ? []
      : [
          tile(
            showBytes(medianOf(code)),
            `of code to download, gzip, in the median${theirs > 0 ? `; onnxruntime-web: ${showBytes(theirs)}` : ''}`,
          ),
        ];
  const apart = done.flatMap(m => runsOf(m).flatMap(r => r.differences.flatMap(d => d.outputs.map(o => o.relative ?? Infinity))));
  const worst =
    apart.length === 0
      ? []
      : [tile(Math.max(...apart).toExponential(0), 'the largest difference of any answer, as a part of the largest value')];
  return `<div class="tiles">${[...ratios, ...size, ...worst].join('')}</div>`;
}
const medianOf = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1] ?? NaN;
const ratiosTo = (list: readonly Measured[], peer: PeerName): number[] =>
  list.flatMap(m => runsOf(m).flatMap(r => r.ratios.flatMap(x => (x.to === peer ? [x.median] : []))));

/** Cases in the order of the result, by group. */
function byGroup(done: readonly Measured[]): Map<string, Measured[]> {
  const out = new Map<string, Measured[]>();
  for (const m of done) out.set(m.group, [...(out.get(m.group) ?? []), m]);
  return out;
}
const several = (done: readonly Measured[]): boolean => new Set(done.map(m => m.target)).size > 1;
function noteOf(m: Measured, label: string, targets: boolean): string {
  return [label === 'default' || label === 'scalar' ? '' : label, targets ? m.target : ''].filter(x => x !== '').join(', ');
}

// ---- speed

function speed(done: readonly Measured[], peers: readonly PeerColour[]): string {
  const targets = several(done);
  const scale = logScale([1, ...peers.flatMap(p => ratiosTo(done, p.name))]);
  const groups = [...byGroup(done)].map(([group, list]) => {
    const rows = list.flatMap(m =>
      runsOf(m).map((r): PlotRow => {
        const marks = r.ratios.flatMap((x): Mark[] => {
          const p = peers.find(y => y.name === x.to);
          return p
            ? [
                {
                  series: p.series,
                  at: x.median,
                  lo: x.lo,
                  hi: x.hi,
                  title: `${factor(x.median)} the speed of ${p.shown} (${x.lo.toFixed(2)} to ${x.hi.toFixed(2)})`,
                },
              ]
            : [];
        });
        return { label: m.name, note: noteOf(m, r.label, targets), marks, value: ms(r.times[0]?.median ?? NaN) };
      }),
    );
    const means = peers.flatMap(p => {
      const all = ratiosTo(list, p.name);
      return all.length === 0 ? [] : [`${factor(geomean(all))} ${p.name}`];
    });
    return `<h3>${quoteHtml(group)}${means.length === 0 ? '' : ` <small>${quoteHtml(means.join(', '))}</small>`}</h3>
<div class="card">${dotPlot({ rows, scale, tick: factor, line: 1, caption: `Speed relative to peers, ${group}` })}</div>
<details><summary>Times of ${quoteHtml(group.toLowerCase())} as a table</summary><div class="card"><div class="scroll">${timeTable(list, peers, targets)}</div></div></details>`;
  });
  return `<h2>Speed</h2>
<p>How many times as fast as each peer: right of the line Sinter is faster. A point is the median over the rounds of the ratio of times of the same round, its line the range in which another run of the benchmark is to be expected; at the right Sinter's own time of a call.</p>
${legend(peers)}${groups.join('\n')}`;
}
function timeTable(list: readonly Measured[], peers: readonly PeerColour[], targets: boolean): string {
  const cell = (r: Run, name: Runtime['name']): string => {
    const t = r.times.find(x => x.name === name);
    return t ? `${ms(t.median)} <small>±${(100 * relativeSpread(t)).toFixed(0)} %</small>` : '';
  };
  const rows = list.flatMap(m =>
    runsOf(m).map(r => {
      const ratios = peers.map(p => {
        const x = r.ratios.find(y => y.to === p.name);
        return `<td>${cell(r, p.name)}</td><td>${x ? `${factor(x.median)} <small>${x.lo.toFixed(2)}–${x.hi.toFixed(2)}</small>` : ''}</td>`;
      });
      return `<tr><td>${quoteHtml(m.name)} <small>${quoteHtml(noteOf(m, r.label, targets))}</small></td><td class="ours">${cell(r, 'sinter')}</td>${ratios.join('')}</tr>`;
    }),
  );
  const head = peers.map(p => `<th>${quoteHtml(p.name)}</th><th>ratio</th>`).join('');
  return `<table><thead><tr><th>model</th><th>Sinter</th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

// ---- accuracy

/** Differences below this are drawn there; equal bits are, too. */
const SAME = 1e-9;
function accuracy(done: readonly Measured[], peers: readonly PeerColour[]): string {
  const targets = several(done);
  const rows = done.flatMap((m): PlotRow[] => {
    const worst = peers.flatMap(p => {
      const all = runsOf(m).flatMap(r =>
        r.differences.flatMap(d => (d.to === p.name ? d.outputs.map(o => o.relative ?? Infinity) : [])),
      );
      return all.length === 0 ? [] : [{ p, x: Math.max(...all) }];
    });
    if (worst.length === 0) return [];
    const most = Math.max(...worst.map(w => w.x));
    return [
      {
        label: m.name,
        note: targets ? m.target : '',
        marks: worst.map(w => ({
          series: w.p.series,
          at: Math.max(SAME, w.x),
          title: `${w.x === 0 ? 'the same bits as' : `${w.x.toExponential(1)} from`} ${w.p.shown}`,
        })),
        value: most === 0 ? 'same bits' : most === Infinity ? '<span class="bad">wholly</span>' : most.toExponential(0),
      },
    ];
  });
  if (rows.length === 0) return '';
  const scale = logScale([SAME, 1e-2, ...rows.flatMap(r => r.marks.map(m => m.at))], 8);
  const tick = (x: number): string => (x <= SAME * 1.01 ? 'equal' : x.toExponential(0));
  return `<h2>Accuracy</h2>
<p>How far the answers are from those of each peer on the same inputs: the worst element of all runs, as a part of the largest value of its output. Two correct programs in float32 differ by about 1e-6; deep networks enlarge that.</p>
${legend(peers)}<div class="card">${dotPlot({ rows, scale, tick, caption: 'Differences of the answers' })}</div>`;
}

// ---- what a user must get

function sizes(done: readonly Measured[], peers: readonly PeerColour[]): string {
  const targets = several(done);
  const rows = done.flatMap((m): PlotRow[] => {
    const ours = ran(m, 'sinter')?.size;
    if (!ours) return [];
    const marks = peers.flatMap((p): Mark[] => {
      const s = ran(m, p.name)?.size;
      return s && packed(s.code) > 0
        ? [{ series: p.series, at: packed(s.code), title: `${p.shown}: ${showBytes(packed(s.code))}` }]
        : [];
    });
    const own: Mark = { series: 0, at: packed(ours.code), title: `Sinter: ${showBytes(packed(ours.code))}` };
    const weights = ours.weights.disk === 0 ? '' : ` <small>+ ${showBytes(packed(ours.weights))}</small>`;
    return [
      {
        label: m.name,
        note: targets ? m.target : '',
        marks: [...marks, own],
        value: `${showBytes(packed(ours.code))}${weights}`,
      },
    ];
  });
  if (rows.length === 0) return '';
  const scale = logScale(
    rows.flatMap(r => r.marks.map(m => m.at)),
    6,
  );
  return `<h2>Size</h2>
<p>Code that a user downloads, with gzip: the module and its loader, or a peer's runtime. At the right Sinter's code, and weights that are a file of their own; small weights are inside the module. Weights are about the same for everybody.</p>
${legend(peers, true)}<div class="card">${dotPlot({ rows, scale, tick: showBytes, caption: 'Code to download' })}</div>`;
}
function starts(done: readonly Measured[], peers: readonly PeerColour[]): string {
  const targets = several(done);
  const rows = done.flatMap((m): PlotRow[] => {
    const mark = (name: Runtime['name'], series: number, shown: string): Mark[] => {
      const f = ran(m, name)?.coldStart;
      return f ? [{ series, at: f.median, lo: f.lo, hi: f.hi, title: `${shown}: ${ms(f.median)}` }] : [];
    };
    const own = mark('sinter', 0, 'Sinter');
    if (!own[0]) return [];
    const memory = ran(m, 'sinter')?.memory;
    return [
      {
        label: m.name,
        note: targets ? m.target : '',
        marks: [...peers.flatMap(p => mark(p.name, p.series, p.shown)), ...own],
        value: `${ms(own[0].at)}${memory === undefined || memory < 1e5 ? '' : ` <small>${showBytes(memory)}</small>`}`,
      },
    ];
  });
  if (rows.length === 0) return '';
  const scale = logScale(
    rows.flatMap(r => r.marks.map(m => m.at)),
    6,
  );
  return `<h2>Cold start</h2>
<p>From the first line of a fresh process to its first answer: loading the code, compiling it, loading the weights, one call. At the right Sinter's time and the memory that it takes at the peak beyond that of the engine alone.</p>
${legend(peers, true)}<div class="card">${dotPlot({ rows, scale, tick: ms, caption: 'Time of a cold start' })}</div>`;
}

// ---- operators

function operators(done: readonly Measured[]): string {
  const all = done.flatMap(m => (m.figures.operatorTimes ?? []).map(p => ({ m, p })));
  if (all.length === 0) return '';
  const targets = several(done);
  const points = all.flatMap(({ m, p }) =>
    p.rows.flatMap(r =>
      r.flops === undefined || r.flops === 0 || r.bytes === 0 || r.gflops === undefined
        ? []
        : [
            {
              intensity: r.flops / r.bytes,
              gflops: r.gflops,
              share: r.share / all.length,
              bound: r.bound,
              title: `${m.name}: ${r.what}, ${short(r.gflops)} GFLOP/s, ${(100 * r.efficiency).toFixed(0)} % of the limit, ${(100 * r.share).toFixed(0)} % of its run`,
            },
          ],
    ),
  );
  const peak = {
    gflops: medianOf(all.map(x => x.p.peak.gflops)),
    gbytes: medianOf(all.map(x => x.p.peak.gbytes)),
  };
  const tables = all.map(
    ({ m, p }) =>
      `<details><summary>${quoteHtml([m.name, noteOf(m, p.label, targets)].join(' ').trim())}: ${ms(p.whole)} a run, ${p.rows.length} kinds of steps</summary><div class="card"><div class="scroll">${operatorTable(p)}</div></div></details>`,
  );
  return `<h2>Operators and the limit of the machine</h2>
<p>Each fused operator of a run, timed by itself, below what the machine can do with the instructions of the target: the slope is the limit of memory, the level that of arithmetic. Operations are counted as the model says them, so that Winograd's algorithm, which needs fewer, may be above the line.</p>
<div class="card">${roofline(points, peak)}</div>${tables.join('')}`;
}
/** At most so many operators are shown, the slowest. */
const SHOWN = 20;
function operatorTable(p: OperatorTimes): string {
  const rows = p.rows
    .slice(0, SHOWN)
    .map(
      r =>
        `<tr><td>${quoteHtml(r.what)}${r.calls > 1 ? ` <small>${r.calls} times</small>` : ''}</td><td>${ms(r.ms)}</td><td>${bar(r.share, 0)} ${(100 * r.share).toFixed(1)} %</td><td>${r.gflops === undefined ? '' : short(r.gflops)}</td><td>${short(r.gbytes)}</td><td>${(100 * r.efficiency).toFixed(0)} % <small>${r.bound}</small></td><td class="wrap">${quoteHtml(cut(r.nodes.join(', ')))}</td></tr>`,
    );
  const rest = p.rows.length > SHOWN ? `<p class="soft">and ${p.rows.length - SHOWN} more</p>` : '';
  return `<table><thead><tr><th>step</th><th>time</th><th>share</th><th>GFLOP/s</th><th>GB/s</th><th>of the limit</th><th class="text">nodes</th></tr></thead><tbody>${rows.join('')}</tbody></table>${rest}`;
}
const cut = (s: string): string => (s.length > 90 ? `${s.slice(0, 89)}…` : s);

// ---- what went wrong, and how it was done

function troubles(cases: readonly CaseResult[], done: readonly Measured[]): string {
  const items = new Map<string, Set<string>>();
  const add = (what: string, where: string): void => void items.set(what, (items.get(what) ?? new Set()).add(where));
  for (const c of cases) if (c.outcome.k === 'failed') add(`Sinter failed: ${c.outcome.message}`, c.name);
  for (const m of done) {
    for (const c of m.figures.runtimes) {
      if (c.k === 'missing') add(`${c.name} is not installed: ${c.how}`, m.name);
      if (c.k === 'unsuited') add(`${c.name} did not run: ${c.why}`, m.name);
      if (c.k === 'failed') add(`${c.name} failed: ${c.message}`, m.name);
    }
    for (const r of runsOf(m)) for (const f of r.failures) add(`${f.name} stopped: ${f.message}`, `${m.name} ${r.label}`);
  }
  if (items.size === 0) return '';
  const rows = [...items].map(
    ([what, where]) =>
      `<tr><td class="text wrap">${quoteHtml(what)}</td><td class="wrap">${quoteHtml([...where].join(', '))}</td></tr>`,
  );
  return `<h2>What did not run</h2><div class="card"><div class="scroll"><table><tbody>${rows.join('')}</tbody></table></div></div>`;
}
function method(r: BenchResult, done: readonly Measured[], peers: readonly PeerColour[]): string {
  const spreads = done.flatMap(m => runsOf(m).flatMap(x => x.times.map(relativeSpread)));
  const ranges = done.flatMap(m => runsOf(m).flatMap(x => x.ratios.filter(y => y.to !== 'calibration').map(relativeSpread)));
  const { settings: s, machine: m } = r;
  const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
  const rows: [string, string][] = [
    ['command', `<code>${quoteHtml(r.command)}</code>`],
    ['versions', quoteHtml(`Sinter ${r.sinter}${peers.map(p => `, ${p.shown}`).join('')}`)],
    ['machine', quoteHtml(`${m.cpu}, ${m.cores} cores, ${showBytes(m.memory)}, ${m.system}`)],
    ['engine', quoteHtml(m.engine)],
    [
      'turns',
      `${s.processes} process${s.processes === 1 ? '' : 'es'} of ${s.rounds} rounds, after warm-up; in each round everybody is timed once, ${threads(r)}; random inputs of seed ${s.seed}`,
    ],
    ...(spreads.length === 0
      ? []
      : [
          [
            'spread',
            `times: ±${percent(medianOf(spreads))} in the median, ±${percent(Math.max(...spreads))} at most (half the distance of the quartiles); ratios: ±${percent(medianOf(ranges))} in the median`,
          ] as [string, string],
        ]),
  ];
  return `<h2>How it was measured</h2><div class="card"><div class="scroll"><table><tbody>${rows.map(([k, v]) => `<tr><td>${k}</td><td class="wrap">${v}</td></tr>`).join('')}</tbody></table></div></div>
<p class="soft">Ratios of the same run hold on busy machines, times do not. Whoever is timed has the inputs ready and gives back all outputs; Sinter's call is that of its public interface.</p>`;
}
