// The page that tries a model: made from manifest.json, so it is the same for every model.
import * as bundle from './index.js';

const byId = id => document.getElementById(id);
/** An element with properties and children; text is never read as HTML. */
function el(name, props = {}, ...children) {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children);
  return e;
}
const status = (text, isBad = false) => {
  byId('status').textContent = text;
  byId('status').className = isBad ? 'bad' : 'soft';
};
const size = n => (n < 1e4 ? `${n} bytes` : n < 1e6 ? `${(n / 1e3).toFixed(0)} KB` : `${(n / 1e6).toFixed(1)} MB`);
const ms = t => (t < 10 ? t.toFixed(2) : t.toFixed(0)) + ' ms';
const number = x => (typeof x === 'bigint' || Number.isInteger(x) ? String(x) : Number(x).toPrecision(5));
const isInt = type => /int|bool/.test(type);
const product = dims => dims.reduce((a, b) => a * b, 1);

// ---- inputs

/** Where the colours and rows of an image lie in an input, if it looks like one. */
function imageAxes(shape) {
  const colours = n => n === 1 || n === 3 || n === 4;
  const large = n => typeof n === 'string' || n >= 8;
  const [a, b, c] = shape.length === 4 ? shape.slice(1) : shape.length === 3 ? shape : [];
  if (shape.length === 4 && typeof shape[0] === 'number' && shape[0] !== 1) return undefined;
  const at = shape.length - 3;
  if (colours(a) && large(b) && large(c)) return { c: at, h: at + 1, w: at + 2 };
  if (colours(c) && large(a) && large(b)) return { c: at + 2, h: at, w: at + 1 };
  return undefined;
}
const SCALES = {
  '0 … 1': v => v / 255,
  '-1 … 1': v => v / 127.5 - 1,
  ImageNet: (v, c) => (v / 255 - [0.485, 0.456, 0.406][c % 3]) / [0.229, 0.224, 0.225][c % 3],
  '0 … 255': v => v,
};

/** The card of one input: `value()` gives what to run the model with. */
function inputCard(port, sizes) {
  const image = port.type === 'float32' || port.type === 'uint8' ? imageAxes(port.shape) : undefined;
  const fill = el('select', { ariaLabel: `contents of ${port.name}` });
  const kinds = ['random', 'zeros', 'ones', 'values', ...(image ? ['image'] : [])];
  for (const k of kinds) fill.append(el('option', { value: k, textContent: k }));
  fill.value = isInt(port.type) ? (/mask/i.test(port.name) ? 'ones' : 'zeros') : 'random';
  const values = el('textarea', { placeholder: 'numbers, separated by commas or spaces', hidden: true });
  const file = el('input', { type: 'file', accept: 'image/*', hidden: true, ariaLabel: `image for ${port.name}` });
  const scale = el('select', { hidden: true, ariaLabel: 'range of the colours' });
  for (const k of Object.keys(SCALES)) scale.append(el('option', { textContent: k }));
  if (port.type === 'uint8') scale.value = '0 … 255';
  const preview = el('canvas', { hidden: true });
  const fields = port.sizes.map(s => {
    const field = el('input', { type: 'number', min: s.min, max: s.max, step: s.step, value: s.start });
    field.addEventListener('input', () => {
      for (const other of sizes.get(s.dim)) other.value = field.value;
    });
    sizes.set(s.dim, [...(sizes.get(s.dim) ?? []), field]);
    return { axis: s.axis, field, label: el('label', {}, s.dim, field) };
  });
  const update = () => {
    values.hidden = fill.value !== 'values';
    file.hidden = scale.hidden = fill.value !== 'image';
    preview.hidden = fill.value !== 'image' || !file.files.length;
  };
  fill.addEventListener('change', update);
  file.addEventListener('change', update);
  const dims = () => port.shape.map((n, i) => fields.find(f => f.axis === i)?.field.valueAsNumber ?? n);
  const card = el(
    'div',
    { className: 'card' },
    el('strong', { textContent: port.name }),
    el('span', { className: 'soft', textContent: `  ${port.type} [${port.shape.join(', ')}]` }),
    el('div', { className: 'row' }, ...fields.map(f => f.label), fill, file, scale),
    values,
    preview,
  );
  const value = async () => {
    const d = dims();
    const n = product(d);
    const data = new ARRAYS[port.type](n);
    const put = /64$/.test(port.type) && isInt(port.type) ? v => BigInt(Math.round(v)) : v => v;
    switch (fill.value) {
      case 'ones':
        data.fill(put(ONES[port.type] ?? 1));
        break;
      case 'random':
        if (!ONES[port.type]) for (let i = 0; i < n; i++) data[i] = put(isInt(port.type) ? Math.random() < 0.5 : Math.random());
        break;
      case 'values': {
        const given = values.value.split(/[\s,;[\]]+/).filter(t => t !== '');
        if (given.length !== n) throw new Error(`${port.name} needs ${n} numbers, not ${given.length}`);
        given.forEach((t, i) => (data[i] = put(Number(t))));
        break;
      }
      case 'image': {
        if (!file.files.length) throw new Error(`choose an image for ${port.name}`);
        await drawImage(file.files[0], preview, d[image.w], d[image.h]);
        const { data: rgba } = preview.getContext('2d').getImageData(0, 0, d[image.w], d[image.h]);
        const colours = d[image.c];
        const area = d[image.w] * d[image.h];
        const last = image.c > image.h;
        for (let p = 0; p < area; p++)
          for (let c = 0; c < colours; c++) {
            const grey = 0.299 * rgba[4 * p] + 0.587 * rgba[4 * p + 1] + 0.114 * rgba[4 * p + 2];
            data[last ? p * colours + c : c * area + p] = SCALES[scale.value](colours === 1 ? grey : rgba[4 * p + c], c);
          }
      }
    }
    return { data, dims: d };
  };
  return { card, value };
}
/** A row of more features is given as other inputs are. */
const MOST_FIELDS = 100;
/** The card of one row of features: a field for each, empty where the value is missing. */
function rowCard(port, names) {
  const fields = names.map(name => el('input', { type: 'number', step: 'any', placeholder: 'missing', ariaLabel: name }));
  const labels = fields.map((f, i) => el('label', {}, names[i], f));
  const card = el(
    'div',
    { className: 'card' },
    el('strong', { textContent: port.name }),
    el('span', { className: 'soft', textContent: '  one row; empty fields are missing values' }),
    el('div', { className: 'row' }, ...labels),
  );
  const rows = typeof port.shape[0] === 'number' ? port.shape[0] : port.sizes[0].min;
  const value = async () => {
    const row = fields.map(f => f.valueAsNumber);
    return {
      data: ARRAYS[port.type].from({ length: rows * row.length }, (_, i) => row[i % row.length]),
      dims: [rows, row.length],
    };
  };
  return { card, value };
}
async function drawImage(file, canvas, width, height) {
  const bitmap = await createImageBitmap(file);
  Object.assign(canvas, { width, height });
  canvas.getContext('2d', { willReadFrequently: true }).drawImage(bitmap, 0, 0, width, height);
}
/** The bits of 1 in small floats. */
const ONES = {
  float16: 0x3c00,
  bfloat16: 0x3f80,
  float8e4m3fn: 0x38,
  float8e4m3fnuz: 0x40,
  float8e5m2: 0x3c,
  float8e5m2fnuz: 0x40,
  float8e8m0: 127,
  float4e2m1: 2,
};
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float8e4m3fn: Uint8Array,
  float8e4m3fnuz: Uint8Array,
  float8e5m2: Uint8Array,
  float8e5m2fnuz: Uint8Array,
  float8e8m0: Uint8Array,
  float4e2m1: Uint8Array,
  int2: Int8Array,
  uint2: Uint8Array,
  int4: Int8Array,
  uint4: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

// ---- outputs

function outputCard(name, t) {
  const data = t.type === 'float16' ? Float64Array.from(t.data, half) : t.data;
  let [lo, hi, sum] = [Infinity, -Infinity, 0];
  for (let i = 0; i < data.length; i++) {
    const v = Number(data[i]);
    lo = Math.min(lo, v);
    hi = Math.max(hi, v);
    sum += v;
  }
  const card = el(
    'div',
    { className: 'card' },
    el('strong', { textContent: name }),
    el('span', { className: 'soft', textContent: `  ${t.type} [${t.dims.join(', ')}]` }),
  );
  if (data.length === 0) return card;
  const stats = `min ${number(lo)}   max ${number(hi)}   mean ${number(sum / data.length)}`;
  const head = Array.from(data.slice(0, 8), number).join(', ');
  card.append(el('pre', { textContent: `${stats}\n${head}${data.length > 8 ? ', …' : ''}` }));
  const last = t.dims.at(-1) ?? 1;
  if (last === data.length && last > 1 && (last <= 2000 || bundle.labels)) card.append(top(data));
  const [h, w] = t.dims.filter(n => n !== 1);
  if (t.dims.filter(n => n !== 1).length === 2 && h >= 16 && w >= 16) card.append(heatMap(data, h, w, lo, hi));
  return card;
}
const half = b =>
  (b & 0x7fff) >= 0x7c00
    ? NaN
    : (b & 0x8000 ? -1 : 1) * (b & 0x7c00 ? (1024 + (b & 1023)) * 2 ** (((b >> 10) & 31) - 25) : (b & 1023) * 2 ** -24);
/** The largest five of a vector. */
function top(data) {
  const order = Array.from(data, (v, i) => [Number(v), i])
    .sort((a, b) => b[0] - a[0])
    .slice(0, 5);
  const most = Math.max(1e-30, ...order.map(([v]) => Math.abs(v)));
  const list = el('div', {});
  list.style.marginTop = '0.6rem';
  for (const [v, i] of order)
    list.append(
      el(
        'div',
        { className: 'bar' },
        el('span', { textContent: bundle.labels?.[i] ?? `class ${i}` }),
        el('progress', { max: most, value: Math.max(0, v), ariaLabel: `class ${i}` }),
        el('span', { textContent: number(v) }),
      ),
    );
  return list;
}
function heatMap(data, h, w, lo, hi) {
  const canvas = el('canvas', { width: w, height: h });
  const c = canvas.getContext('2d');
  const image = c.createImageData(w, h);
  for (let i = 0; i < w * h; i++) {
    const v = hi > lo ? (255 * (Number(data[i]) - lo)) / (hi - lo) : 0;
    image.data.set([v, v, v, 255], 4 * i);
  }
  c.putImageData(image, 0, 0);
  return canvas;
}

// ---- the page

async function start() {
  status('loading …');
  const begin = performance.now();
  const manifest = await (await fetch('./manifest.json')).json();
  const model = await bundle.load();
  const loaded = performance.now() - begin;
  const m = manifest.modules.find(x => x.profile === model.profile);
  byId('about').textContent =
    `${model.profile}: ${size(m.wasm.bytes)} of code${m.weights.file ? `, ${size(m.weights.bytes)} of weights` : ''}. Compiled by Sinter ${manifest.sinter} from ${manifest.source.file}.`;
  const sizes = new Map();
  const names = manifest.featureNames ?? [];
  const isRow = p => p.name === manifest.rows?.input && names.length <= MOST_FIELDS;
  const cards = manifest.inputs.map(p => [p.name, isRow(p) ? rowCard(p, names) : inputCard(p, sizes)]);
  byId('inputs').append(...cards.map(([, c]) => c.card));
  const go = byId('run');
  go.disabled = false;
  status(`ready in ${ms(loaded)}`);
  document.body.dataset.state = 'ready';
  go.addEventListener('click', async () => {
    go.disabled = true;
    status('running …');
    await new Promise(done => setTimeout(done, 20));
    try {
      const inputs = {};
      for (const [name, c] of cards) inputs[name] = await c.value();
      const times = [];
      const end = performance.now() + 300;
      let out;
      do {
        const t = performance.now();
        out = model.run(inputs, { into: model.outputs });
        times.push(performance.now() - t);
      } while (performance.now() < end && times.length < 50);
      byId('outputs').replaceChildren(...Object.entries(out).map(([name, t]) => outputCard(name, t)));
      const [first] = times;
      const median = times.sort((a, b) => a - b)[times.length >> 1];
      status(`${ms(median)} a run (median of ${times.length}; the first took ${ms(first)})`);
      document.body.dataset.state = 'done';
    } catch (e) {
      status(e.message, true);
      document.body.dataset.state = 'failed';
    }
    go.disabled = false;
  });
}
start().catch(e => {
  status(e.message, true);
  document.body.dataset.state = 'failed';
});
