// Answers requests to one model: the Open Inference Protocol (REST with JSON), and at /invocations rows as CSV or JSON.

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}
const bad = message => {
  throw new Refusal(400, message);
};
const json = (status, text) => ({ status, type: 'application/json', body: text });

/**
 * `model`: a loaded bundle; `about`: what about.json says of it. The function that is given takes the method, the path, the content type
 * and the text of the body, and gives { status, type, body }. It never throws.
 */
export function responder(model, about) {
  const at = `/v2/models/${encodeURIComponent(about.name)}`;
  const port = p => ({ name: p.name, datatype: p.datatype, shape: p.shape });
  const pages = new Map([
    ['/v2', { name: 'sinter', version: about.version, extensions: [] }],
    ['/v2/health/live', { live: true }],
    ['/v2/health/ready', { ready: true }],
    ['/v2/models', { models: [{ name: about.name, version: '1', state: 'READY' }] }],
    [
      at,
      { name: about.name, versions: ['1'], platform: 'sinter', inputs: about.inputs.map(port), outputs: about.outputs.map(port) },
    ],
    [`${at}/ready`, { name: about.name, ready: true }],
  ]);
  const posts = new Map([
    [`${at}/infer`, (_, body) => infer(model, about, body)],
    ['/invocations', (type, body) => invoke(model, about, type, body)],
  ]);
  return (method, path, type, body) => {
    const place = path.replace(/\/versions\/1(?=\/|$)/, '').replace(/\/+$/, '');
    try {
      const page = pages.get(place);
      const post = posts.get(place);
      if (!page && !post) throw new Refusal(404, `there is nothing at ${path}; the model is at ${at}`);
      if (page && (method === 'GET' || method === 'HEAD')) return json(200, JSON.stringify(page));
      if (post && method === 'POST') return post((type ?? '').split(';')[0].trim().toLowerCase(), body);
      throw new Refusal(405, `${method} is not for ${path}`);
    } catch (e) {
      // E501: the model refuses an input; E502: it stops on the data.
      const status = e instanceof Refusal ? e.status : e?.code === 'E501' || e?.code === 'E502' ? 400 : 500;
      return json(status, JSON.stringify({ error: status === 500 ? 'the model failed' : e.message }));
    }
  };
}
function parse(body) {
  try {
    return JSON.parse(body);
  } catch (e) {
    return bad(`the body is not JSON: ${e.message}`);
  }
}
const isObject = x => typeof x === 'object' && x !== null && !Array.isArray(x);
const quote = x => JSON.stringify(x) ?? String(x);

function infer(model, about, body) {
  const request = parse(body);
  if (!isObject(request) || !Array.isArray(request.inputs)) bad('the body has no list "inputs"');
  const inputs = {};
  for (const i of request.inputs) {
    const p = isObject(i) ? about.inputs.find(x => x.name === i.name) : undefined;
    if (!p) bad(`input ${quote(i?.name)} is not of the model; its inputs are ${about.inputs.map(x => x.name).join(', ')}`);
    if (Object.hasOwn(inputs, p.name)) bad(`input ${p.name} is given twice`);
    inputs[p.name] = inputOf(i, p);
  }
  for (const p of about.inputs) if (!Object.hasOwn(inputs, p.name)) bad(`input ${p.name} is missing`);
  const wanted = request.outputs === undefined ? about.outputs : outputsOf(request.outputs, about);
  const outputs = model.run(inputs);
  const parts = wanted.map(p => outputText(p, outputs[p.name]));
  const id = typeof request.id === 'string' ? `"id":${JSON.stringify(request.id)},` : '';
  return json(200, `{"model_name":${JSON.stringify(about.name)},"model_version":"1",${id}"outputs":[${parts.join(',')}]}`);
}
function outputsOf(outputs, about) {
  if (!Array.isArray(outputs)) bad('"outputs" is not a list');
  return outputs.map(o => {
    const p = about.outputs.find(x => x.name === o?.name);
    return p ?? bad(`output ${quote(o?.name)} is not of the model; its outputs are ${about.outputs.map(x => x.name).join(', ')}`);
  });
}
function inputOf(i, p) {
  if (i.datatype !== p.datatype) bad(`input ${p.name} is of ${p.datatype}, not ${quote(i.datatype)}`);
  const { shape } = i;
  if (!Array.isArray(shape) || !shape.every(n => Number.isInteger(n) && n >= 0))
    bad(`input ${p.name} has no "shape" of whole numbers`);
  if (shape.length !== p.shape.length || p.shape.some((n, axis) => n !== -1 && n !== shape[axis]))
    bad(`input ${p.name} has the shape [${shape}] instead of [${p.shape}]`);
  if (!Array.isArray(i.data)) bad(`input ${p.name} has no list "data"; binary tensors are not taken here`);
  const data = i.data.some(Array.isArray) ? i.data.flat(Infinity) : i.data;
  const count = shape.reduce((a, b) => a * b, 1);
  if (data.length !== count) bad(`input ${p.name} has ${data.length} elements; its shape [${shape}] holds ${count}`);
  const fits = p.datatype === 'BYTES' ? x => typeof x === 'string' : p.datatype === 'BOOL' ? isBit : isNumber(p.datatype);
  const wrong = data.findIndex(x => !fits(x));
  if (wrong >= 0) bad(`input ${p.name}: element ${wrong} is ${quote(data[wrong])?.slice(0, 40)}, not of ${p.datatype}`);
  return { data, dims: shape };
}
const isBit = x => typeof x === 'boolean' || x === 0 || x === 1;
/** null is NaN, which JSON has not. */
const isNumber = datatype => (/INT/.test(datatype) ? x => Number.isInteger(x) : x => typeof x === 'number' || x === null);
const element = { BOOL: x => (x ? 'true' : 'false'), BYTES: x => JSON.stringify(x) };
const number = x => (typeof x === 'bigint' || Number.isFinite(x) ? String(x) : 'null');
const outputText = (p, t) =>
  `{"name":${JSON.stringify(p.name)},"datatype":"${p.datatype}","shape":[${t.dims}],"data":[${Array.from(t.data, element[p.datatype] ?? number)}]}`;

/** Rows in, one line or one prediction of the first output for each out. */
function invoke(model, about, type, body) {
  const { table } = about;
  if (!table) throw new Refusal(404, `the model takes no rows; POST to /v2/models/${encodeURIComponent(about.name)}/infer`);
  const isCsv = type === 'text/csv';
  if (!isCsv && type !== 'application/json')
    throw new Refusal(415, `content type ${quote(type)}; send text/csv or application/json`);
  const rows = isCsv ? csv(body, table.columns) : instances(body);
  const [p] = about.outputs;
  const t = model.run({ [table.input]: rows })[p.name];
  const values = Array.from(t.data, element[p.datatype] ?? number);
  const width = values.length / t.dims[0];
  const lines = Array.from({ length: t.dims[0] }, (_, i) => values.slice(i * width, (i + 1) * width));
  if (isCsv) return { status: 200, type: 'text/csv', body: lines.map(l => `${l}\n`).join('') };
  return json(200, `{"predictions":[${lines.map(l => (width === 1 ? l : `[${l}]`))}]}`);
}
function csv(body, columns) {
  const lines = body.split(/\r?\n/).filter(l => l.trim() !== '');
  if (lines.length === 0) bad('the body has no rows');
  return lines.map((line, i) => {
    const cells = line.split(',').map(c => c.trim());
    if (cells.length !== columns) bad(`row ${i + 1} has ${cells.length} columns instead of ${columns}`);
    return cells.map((c, j) => {
      const x = c === '' || c.toLowerCase() === 'nan' ? NaN : Number(c);
      return Number.isNaN(x) && !/^(|nan)$/i.test(c)
        ? bad(`row ${i + 1}, column ${j + 1}: ${quote(c.slice(0, 40))} is no number`)
        : x;
    });
  });
}
function instances(body) {
  const x = parse(body);
  const rows = isObject(x) ? x.instances : x;
  return Array.isArray(rows) && rows.length > 0 ? rows : bad('the body has no list "instances" of rows');
}
