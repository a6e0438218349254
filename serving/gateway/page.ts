import { createHash } from 'node:crypto';

/**
 * The page at `/`: models and their inputs, rate and latency of the last minute, and a form to try a model. It needs nothing from
 * elsewhere; what comes from models and answers is put in as text. Its scripts may talk to this server alone.
 */
const STYLE = `
:root { color-scheme: light dark; --line: #8884; --accent: #2b6cb0; --bad: #c53030 }
@media (prefers-color-scheme: dark) { :root { --accent: #63b3ed; --bad: #fc8181 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; margin: 1rem 0 }
.figures div { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .8rem }
.figures b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }
svg { display: block; width: 100%; height: 90px; border-bottom: 1px solid var(--line) }
svg rect { fill: var(--accent) }
.axis { display: flex; justify-content: space-between; font-size: .85rem }
table { border-collapse: collapse; width: 100% } td { white-space: pre-line; overflow-wrap: anywhere } td, th { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td:first-child, td:nth-child(4) { white-space: nowrap }
@media (max-width: 45rem) {
  thead { display: none } tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0 }
  td { display: grid; grid-template-columns: 6rem 1fr; border: 0; padding: .1rem 0 } td::before { content: attr(data-label); opacity: .7 } td:first-child { font-weight: bold }
}
code, textarea, pre { font: 13px/1.5 ui-monospace, monospace } textarea { width: 100%; box-sizing: border-box; min-height: 9rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); border-radius: .4rem; padding: .6rem; min-height: 1.5rem; max-height: 20rem; overflow: auto }
label { display: block; margin: .5rem 0 .2rem } select, button { font: inherit; padding: .3rem .8rem; max-width: 100% }
button { background: var(--accent); color: Canvas; border: 0; border-radius: .3rem; cursor: pointer } a { color: var(--accent) }
textarea, select { border: 1px solid var(--line); border-radius: .3rem; padding: .4rem; background: Field; color: FieldText }
.bad { color: var(--bad) } .quiet { opacity: .7 }
`;
const SCRIPT = `
const $ = id => document.getElementById(id);
const shape = p => p.type + ' [' + p.shape.join(', ') + ']';
const ms = v => v === undefined ? '–' : v < 10 ? v.toFixed(2) + ' ms' : v.toFixed(0) + ' ms';
let models = [];
const LABELS = ['name', 'inputs', 'outputs', 'runs on', 'checked'];
function row(...cells) {
  const tr = document.createElement('tr');
  cells.forEach((text, i) => { const td = document.createElement('td'); td.dataset.label = LABELS[i]; td.textContent = text; tr.append(td); });
  return tr;
}
function show(s) {
  $('state').textContent = s.ready ? 'ready' : 'not ready';
  $('state').className = s.ready ? '' : 'bad';
  $('rate').textContent = s.rates.at(-2);
  $('p50').textContent = ms(s.p50);
  $('p99').textContent = ms(s.p99);
  $('failed').textContent = s.failed;
  $('workers').textContent = s.workers;
  const most = Math.max(1, ...s.rates);
  $('plot').replaceChildren(...s.rates.slice(0, -1).map((n, i) => {
    const r = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    for (const [k, v] of Object.entries({ x: i * 10, y: 90 - 86 * n / most, width: 8, height: 86 * n / most })) r.setAttribute(k, v);
    return r;
  }));
  $('most').textContent = 'at most ' + Math.max(...s.rates) + ' requests a second';
  $('plot').setAttribute('aria-label', 'the last minute: ' + $('most').textContent);
  const names = s.models.map(m => m.name).join('\\n');
  if (names === models.map(m => m.name).join('\\n')) return;
  models = s.models;
  $('models').replaceChildren(...models.map(m => row(m.name,
    m.inputs.map(p => p.name + ': ' + shape(p)).join('\\n'), m.outputs.map(p => p.name + ': ' + shape(p)).join('\\n'), m.profile, m.checked)));
  $('model').replaceChildren(...models.map(m => new Option(m.name)));
  example();
}
/** A body that the model takes: rows of CSV for a table, JSON for the rest. */
function example() {
  const m = models.find(m => m.name === $('model').value);
  if (!m) return;
  const value = t => t === 'string' ? '' : t === 'bool' ? false : 0;
  const large = m.inputs.some(p => m.sample[p.name].reduce((a, b) => a * b, 1) > 5000);
  $('names').textContent = m.table?.names ? m.table.names.join(', ') : '';
  $('body').value = m.table ? Array(m.table.columns).fill(0).join(',') : large ? '' : JSON.stringify({ inputs: m.inputs.map(p => {
    const dims = m.sample[p.name];
    return { name: p.name, datatype: TYPES[p.type] ?? p.type, shape: dims, data: Array(dims.reduce((a, b) => a * b, 1)).fill(value(p.type)) };
  }) }, undefined, 1);
  $('body').placeholder = large ? 'too large to be written by hand: POST ' + path(m) : '';
  $('answer').textContent = '';
}
const TYPES = { float32: 'FP32', float64: 'FP64', float16: 'FP16', bfloat16: 'BF16', bool: 'BOOL', string: 'BYTES', int8: 'INT8', int16: 'INT16', int32: 'INT32', int64: 'INT64', uint8: 'UINT8', uint16: 'UINT16', uint32: 'UINT32', uint64: 'UINT64' };
const path = m => m.table ? '/invocations' : '/v2/models/' + encodeURIComponent(m.name) + '/infer';
async function send(event) {
  event.preventDefault();
  const m = models.find(m => m.name === $('model').value);
  if (!m) return;
  const headers = m.table ? { 'content-type': 'text/csv', accept: 'application/json', 'x-amzn-sagemaker-target-model': m.name } : { 'content-type': 'application/json' };
  const start = performance.now();
  try {
    const r = await fetch(path(m), { method: 'POST', headers, body: $('body').value });
    const text = await r.text();
    $('took').textContent = r.status + ', ' + ms(performance.now() - start);
    $('answer').className = r.ok ? '' : 'bad';
    $('answer').textContent = text;
  } catch (e) { $('answer').className = 'bad'; $('answer').textContent = e.message; }
}
async function poll() {
  try {
    show(await (await fetch('/sinter/status')).json());
  } catch { $('state').textContent = 'no connection'; $('state').className = 'bad'; }
  setTimeout(poll, 1000);
}
$('form').addEventListener('submit', send);
$('model').addEventListener('change', example);
poll();
`;
const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sinter</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<h1>Sinter: <span id="state">…</span></h1>
<div class="figures">
<div><b id="rate">0</b>requests a second</div>
<div><b id="p50">–</b>median latency</div>
<div><b id="p99">–</b>99 % below</div>
<div><b id="failed">0</b>failed in the last minute</div>
<div><b id="workers">0</b>workers</div>
</div>
<svg id="plot" viewBox="0 0 590 90" preserveAspectRatio="none" role="img" aria-label="requests a second"></svg>
<div class="axis quiet"><span>a minute ago</span><span id="most"></span><span>now</span></div>
<h2>Models</h2>
<table><thead><tr><th>name<th>inputs<th>outputs<th>runs on<th>checked when loaded</thead><tbody id="models"></tbody></table>
<h2>Try one</h2>
<form id="form">
<label for="model">Model</label><select id="model"></select>
<label for="body">Body <span id="names" class="quiet"></span></label><textarea id="body" spellcheck="false"></textarea>
<button>Send</button> <span id="took" class="quiet"></span>
</form>
<label for="answer">Answer</label><pre id="answer"></pre>
<p class="quiet"><a href="/metrics">metrics</a> · <a href="/v2">Open Inference Protocol</a></p>
<script>${SCRIPT}</script>
</html>
`;
const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
export const PAGE = {
  html,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; script-src ${hash(SCRIPT)}; style-src ${hash(STYLE)}; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  },
} as const;
