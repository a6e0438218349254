import { STYLE } from '../../bench/report/style.ts';
import { many, showBytes, showNumber } from '../core/format.ts';
import { quoteHtml } from '../core/quote.ts';
import type { Histogram, NodeReport, QuantizationReport } from '../quantize/report.ts';

const MORE = `
.hist { width: 100%; height: 5rem; display: block; } .hist rect { fill: var(--s1); } .hist rect.out { fill: var(--bad); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: .8rem; } .grid .card { margin: 0; }
.grid h3 { margin: 0 0 .2rem; overflow-wrap: anywhere; }
`;
/** A report of `sinter quantize` as one page that needs nothing else. */
export function quantizationHtml(r: QuantizationReport): string {
  const int = r.nodes.filter(n => n.scheme !== 'float');
  const worst = r.nodes.filter(n => n.histogram).sort((a, b) => (a.own ?? 0) - (b.own ?? 0));
  const parts = [
    tiles(r, int.length),
    r.warnings.map(w => `<p class="bad">${quoteHtml(w)}</p>`).join(''),
    outputs(r),
    worst.length === 0
      ? ''
      : section('Nodes with the most noise', WORST_DOC, `<div class="grid">${worst.map(card).join('')}</div>`),
    section('All nodes with weights', NODES_DOC, `<div class="card scroll">${nodeTable(r.nodes)}</div>`),
  ];
  const c = r.calibration;
  const by = c ? `, with ranges from ${many(c.samples, 'sample')} of ${quoteHtml(c.data)} by ${c.method}` : '';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Sinter: quantization of ${quoteHtml(r.file)}</title><style>${STYLE}${MORE}</style></head>
<body><main>
<h1>${quoteHtml(r.file)} as ${r.scheme}</h1>
<p class="soft">Beside the model in float32${by}.</p>
${parts.filter(p => p !== '').join('\n')}
</main></body></html>
`;
}
const WORST_DOC =
  'How the elements of their inputs are distributed (heights are logarithms; zeros are left out). What lies outside of the range is red: it is clipped.';
const NODES_DOC =
  'In the order of evaluation. Own noise is that of rounding the input and the weights of this node alone; accumulated noise includes all before it.';
const section = (title: string, doc: string, body: string): string =>
  `<section><h2>${title}</h2><p class="soft">${doc}</p>${body}</section>`;
const percent = (x: number): string => `${Number((100 * x).toPrecision(3))} %`;

function tiles(r: QuantizationReport, count: number): string {
  const tile = (figure: string, what: string): string =>
    `<div class="tile"><strong>${figure}</strong><span>${quoteHtml(what)}</span></div>`;
  const [o] = r.outputs;
  const { before, after } = r.weights;
  return `<div class="tiles">${[
    tile(`${count} of ${r.nodes.length}`, 'nodes with weights are quantized'),
    tile(showBytes(after), `of their weights, ${showBytes(before)} in floats (${percent(after / Math.max(1, before))})`),
    ...(o ? [tile(o.cosine.toFixed(4), `cosine of the output ${o.name} with that of the float model`)] : []),
    ...(o?.top1 ? [tile(percent(o.top1.same / o.top1.rows), `of ${o.top1.rows} arg-max are the same`)] : []),
  ].join('')}</div>`;
}
function outputs(r: QuantizationReport): string {
  if (r.outputs.length < 2) return '';
  const rows = r.outputs.map(
    o =>
      `<tr><td>${quoteHtml(o.name)}</td><td>${percent(o.error)}</td><td>${o.cosine.toFixed(5)}</td><td>${o.top1 ? `${o.top1.same} of ${o.top1.rows}` : ''}</td></tr>`,
  );
  return section(
    'Outputs',
    'The root of the mean squared difference over that of the values, on the calibration data.',
    `<div class="card scroll"><table><tr><th>output</th><th>differs by</th><th>cosine</th><th>arg-max agrees</th></tr>${rows.join('')}</table></div>`,
  );
}
const noise = (x: number | null | undefined): string => (x === undefined ? '' : x === null ? 'none' : `${x.toFixed(1)} dB`);
function nodeTable(nodes: readonly NodeReport[]): string {
  const sensitive = nodes.some(n => n.sensitivity !== undefined);
  const rows = nodes.map(
    n =>
      `<tr><td>${quoteHtml(n.name)}</td><td class="text">${quoteHtml(n.op)}</td><td class="text">${n.scheme}</td>` +
      `<td>${n.weights.before === 0 ? '' : `${showBytes(n.weights.before)} → ${showBytes(n.weights.after)}`}</td>` +
      `<td>${n.range ? `${showNumber(n.range.min)} … ${showNumber(n.range.max)}` : ''}</td><td>${n.clipped === undefined ? '' : percent(n.clipped)}</td>` +
      `<td>${noise(n.own)}</td><td>${noise(n.accumulated)}</td>${sensitive ? `<td>${n.sensitivity === undefined ? '' : n.sensitivity.toExponential(1)}</td>` : ''}` +
      `<td class="wrap">${quoteHtml(n.why ?? (n.corrected ? 'bias corrected' : ''))}</td></tr>`,
  );
  return `<table><tr><th>node</th><th class="text">operator</th><th class="text">scheme</th><th>weights</th><th>range of the input</th><th>clipped</th><th>own noise</th><th>accumulated</th>${sensitive ? '<th>sensitivity</th>' : ''}<th></th></tr>${rows.join('')}</table>`;
}
function card(n: NodeReport): string {
  const range = n.range ? `${showNumber(n.range.min)} … ${showNumber(n.range.max)}` : 'found in each run';
  return `<div class="card"><h3>${quoteHtml(n.name)} <small>${quoteHtml(n.op)}</small></h3>${n.histogram ? bars(n.histogram, n.range) : ''}<small>${noise(n.own)} of its own, ${noise(n.accumulated)} accumulated; range ${range}; input ${quoteHtml(n.input)}</small></div>`;
}
function bars(h: Histogram, range: NodeReport['range']): string {
  const most = Math.log1p(Math.max(1, ...h.counts));
  const width = (h.max - h.min) / Math.max(1, h.counts.length);
  const rects = h.counts.map((c, i) => {
    const middle = h.min + (i + 0.5) * width;
    const out = range && (middle < range.min || middle > range.max) ? ' class="out"' : '';
    const height = (100 * Math.log1p(c)) / most;
    return c === 0 ? '' : `<rect${out} x="${i}" width="0.9" y="${(100 - height).toFixed(1)}" height="${height.toFixed(1)}"/>`;
  });
  return `<svg class="hist" viewBox="0 0 ${h.counts.length} 100" preserveAspectRatio="none" role="img" aria-label="distribution">${rects.join('')}</svg>`;
}
