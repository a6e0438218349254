// The part of a bundle's index.js that is the same for every model. MODEL, which stands before it, describes the one at hand:
// modules (best first), inputs, outputs, symbols (in the order they can be solved) and guards. Inputs of rows of features have `rows`.
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
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
// Small modules that an engine accepts if it has the feature.
const PROBES = {
  'bulk memory': 'AGFzbQEAAAABBQFgAX8AAwIBAAUDAQABChIBEAAgACAAQwAAAAD8APwLAAs=',
  SIMD: 'AGFzbQEAAAABBQFgAAF7AwIBAAoIAQYAQQD9EQs=',
  'relaxed SIMD': 'AGFzbQEAAAABBgFgAXsBewMCAQAKDQELACAAIAAgAP2FAgs=',
};
const lacks = m => m.needs.filter(n => !WebAssembly.validate(Uint8Array.from(atob(PROBES[n]), c => c.charCodeAt(0))));

const error = (code, why, cause) => Object.assign(new Error(`${code}: ${why}`, cause && { cause }), { code });
// The tag of built-in objects holds across realms, where instanceof does not.
const tag = x => x?.[Symbol.toStringTag] ?? (Array.isArray(x) ? 'Array' : typeof x);
const count = dims => {
  let n = 1;
  for (let i = 0; i < dims.length; i++) n *= dims[i];
  return n;
};

// ---- files: bytes, a Blob, a Response (or the promise of one), a URL; in Node also a path

const isUrl = x => typeof x === 'string' || tag(x) === 'URL';
const isPath = x => typeof x === 'string' && !/^[a-z][\w+.-]+:/i.test(x) && !globalThis.location;
/** The file system where there is one and `x` is in it. Without an import, so that browsers and bundlers see nothing to resolve. */
const fsFor = x => isUrl(x) && (isPath(x) || /^file:/.test(x)) && globalThis.process?.getBuiltinModule?.('node:fs');
const place = x => (isPath(x) ? x : new URL(x));
const cannot = (x, e) => error('E205', `cannot read ${x}: ${e.message}`, e);
async function get(x) {
  const r = isUrl(x)
    ? await fetch(x).catch(e => {
        throw cannot(x, e);
      })
    : x;
  if (r?.ok === false) throw cannot(r.url || 'the response', { message: `the server answers ${r.status}` });
  return r;
}
async function bytesOf(x) {
  if (ArrayBuffer.isView(x)) return new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
  if (x?.byteLength >= 0) return new Uint8Array(x);
  if (x?.arrayBuffer) return new Uint8Array(await x.arrayBuffer());
  throw error('E502', `load takes bytes, a Response, a URL or { wasm, weights }, not ${tag(x)}`);
}
/** Reads a file into `to` and gives its length, or one more than `to` holds. Without asking for its size, which takes longer than reading. */
function readFile(fs, x, to) {
  let file;
  let at = 0;
  try {
    file = fs.openSync(place(x));
    for (let n = 1; n > 0 && at < to.length; at += n) n = fs.readSync(file, to, at, Math.min(to.length - at, 1 << 30), null);
    return at + (at === to.length ? fs.readSync(file, new Uint8Array(1)) : 0);
  } catch (e) {
    throw cannot(x, e);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}
async function compile(given) {
  const x = await given;
  const fs = fsFor(x);
  if (fs)
    for (let size = 1 << 17; ; size *= 8) {
      const bytes = new Uint8Array(size);
      const n = readFile(fs, x, bytes);
      if (n <= size) return new WebAssembly.Module(bytes.subarray(0, n));
    }
  const y = await get(x);
  if (tag(y) === 'WebAssembly.Module') return y;
  if (tag(y) === 'Response' && WebAssembly.compileStreaming && /^application\/wasm/.test(y.headers.get('content-type')))
    return WebAssembly.compileStreaming(y);
  return WebAssembly.compile(await bytesOf(y));
}
/** Fills memory with the weights: piece by piece, so that no second copy of them is held. */
async function fill(to, given) {
  const x = await given;
  const fs = fsFor(x);
  let at = 0;
  if (fs) at = readFile(fs, x, to);
  else {
    const put = part => {
      if (at + part.length <= to.length) to.set(part, at);
      at += part.length;
    };
    const y = await get(x);
    const reader = tag(y) === 'Response' && y.body?.getReader();
    if (!reader) put(await bytesOf(y));
    else for (let r = await reader.read(); !r.done; r = await reader.read()) put(r.value);
  }
  if (at !== to.length)
    throw error(
      'E203',
      `model.weights is truncated or damaged: ${at > to.length ? 'more than' : `${at} bytes instead of`} ${to.length}`,
    );
}
/** A checksum over some of the bytes, which tells other weights of the same size. */
function sample(bytes) {
  const step = Math.max(1, Math.floor(bytes.length / 1024));
  let h = 0;
  for (let i = 0; i < bytes.length; i += step) h = (Math.imul(h, 31) + bytes[i]) | 0;
  return h;
}

/**
 * Makes the model ready to run. Without an argument the files beside this one are read. Bytes, a Response, a WebAssembly.Module or a URL:
 * the module; a URL that ends with '/': the folder of both files; `{ wasm, weights }`: each on its own.
 */
export async function load(source) {
  const given = await source;
  const both = typeof given === 'object' && !isUrl(given) && ('wasm' in given || 'weights' in given) ? given : { wasm: given };
  const at = isUrl(both.wasm) && both.wasm;
  const folder = at && /\/$/.test(at);
  const near = (name, own) =>
    at ? (isPath(at) ? at.replace(/[^/\\]*$/, name) : new URL(name, new URL(at, globalThis.location?.href))) : own();
  /** The best module that this engine runs. */
  const pick = () => {
    const m = MODEL.modules.find(m => lacks(m).length === 0);
    if (!m)
      throw error('E401', `this engine has no ${lacks(MODEL.modules.at(-1)).join(', no ')}; compile with --target wasm-auto`);
    return m;
  };
  // One module is tried without asking first: an engine that lacks a feature says so by failing.
  const wasm = () => {
    const m = MODEL.modules.length > 1 ? pick() : MODEL.modules[0];
    return near(m.files[0], m.wasm);
  };
  const module = await compile(both.wasm === undefined || folder ? wasm() : both.wasm).catch(e => {
    if (e.code) throw e;
    pick();
    throw error('E203', `the module does not compile: ${e.message}`, e);
  });
  const [section] = WebAssembly.Module.customSections(module, 'sinter');
  const id = String.fromCharCode(...new Uint8Array(section ?? []));
  const m = MODEL.modules.find(x => x.id === id);
  if (!m) throw error('E502', 'the module is not of this index.js; are all files from one compilation?');
  const { exports } = await WebAssembly.instantiate(module);
  if (m.bytes > 0) {
    const memory = new Uint8Array(exports.memory.buffer, m.base, m.bytes);
    await fill(memory, both.weights ?? near(m.files[1], m.weights));
    if (sample(memory) !== m.sum)
      throw error('E502', 'the weights are not of this index.js; are all files from one compilation?');
  }
  return ready(m, exports);
}

function ready(m, exports) {
  const { buffer } = exports.memory;
  /** The symbols' values. */
  const s = [];
  const ports = (list, offsets) =>
    list.map((p, i) => {
      const view = new ARRAYS[p.type](buffer, offsets[i], p.size);
      // d: the actual dimensions, written anew by each run.
      return { ...p, view, d: p.shape.map(Number), tensor: { data: view, dims: [], type: p.type, shape: p.shape } };
    });
  const ins = ports(MODEL.inputs, m.inputs);
  const outs = ports(MODEL.outputs, m.outputs);
  const record = list => Object.fromEntries(list.map(p => [p.name, p.tensor]));
  const D = ins.map(p => p.d);
  const data = [];
  const args = [];
  const bad = (p, why) => error('E501', `input ${p.name}: ${why}; it is ${p.type} [${p.shape.join(', ')}]`);

  const checkType = (p, x) => {
    const t = tag(x);
    const want = ARRAYS[p.type].name;
    if (t === want || (t === 'Array' && !/float16/.test(p.type)) || (t === 'Float16Array' && p.type === 'float16')) return;
    const how =
      ArrayBuffer.isView(x) && !/float16/.test(p.type)
        ? `: ${want}.from(data${/64$/.test(p.type) && want[0] === 'B' ? ', BigInt' : ''})`
        : '';
    throw bad(p, `pass a ${want} instead of ${t}${how}`);
  };
  const take = (p, given) => {
    if (given === undefined || given === null) throw bad(p, 'is missing');
    const x = p.rows?.(p, given, bad) ?? given;
    const values = x.data ?? x;
    checkType(p, values);
    let dims = x.data && x !== p.tensor ? x.dims : undefined;
    if (!dims) {
      const free = p.shape.filter(isUrl).length;
      if (free > 1) throw bad(p, 'pass { data, dims }, since its shape does not follow from the length');
      const rest = count(p.shape.filter(n => !isUrl(n)));
      dims = p.shape.map(n => (isUrl(n) ? values.length / rest : n));
    }
    if (dims.length !== p.shape.length) throw bad(p, `has ${dims.length} dimensions, [${dims}], instead of ${p.shape.length}`);
    for (let i = 0; i < dims.length; i++) {
      const n = Number(dims[i]);
      if (isUrl(p.shape[i]) ? !(Number.isInteger(n) && n >= 0) : n !== p.shape[i])
        throw bad(p, `dimension ${i} of [${dims}] does not fit`);
      p.d[i] = n;
    }
    const n = count(p.d);
    if (values !== p.view ? values.length !== n : values.length < n)
      throw bad(p, `has ${values.length} values, but [${dims}] holds ${n}`);
    return values;
  };
  /** Gives the symbols their values from the inputs' sizes, and checks that every size agrees with them. */
  const bind = () => {
    for (const x of MODEL.symbols) {
      const v = (s[x.index] = x.solve(D, s));
      const p = ins[x.port];
      if (!(Number.isInteger(v) && v >= x.lo && v <= x.hi))
        throw bad(p, `dimension ${x.axis} (${p.shape[x.axis]}) is ${p.d[x.axis]}, but must be ${x.range}`);
    }
    for (const p of ins)
      p.dims?.(s, (i, v) => {
        if (p.d[i] !== v) throw bad(p, `dimension ${i} (${p.shape[i]}) is ${p.d[i]}, but must be ${v} to fit the other sizes`);
      });
  };
  const write = (p, x) => {
    if (x === p.view) return;
    if (tag(x) === 'Float16Array') x = new Uint16Array(x.buffer, x.byteOffset, x.length);
    p.view.set(tag(x) === 'Array' && /^Big/.test(tag(p.view)) ? x.map(BigInt) : x);
  };
  const read = (p, into) => {
    const { tensor, d } = p;
    p.dims?.(s, (i, v) => {
      d[i] = v;
    });
    const n = count(d);
    if (tensor.data.length !== n) tensor.data = p.view.subarray(0, n);
    const to = into === undefined ? { data: tensor.data.slice() } : ArrayBuffer.isView(into) ? { data: into } : into;
    if (to !== tensor && into !== undefined) {
      if (tag(to.data) !== tag(p.view) || to.data.length < n)
        throw error('E502', `output ${p.name}: into needs a ${tag(p.view)} of ${n} or more`);
      to.data.set(tensor.data);
    }
    to.dims ??= [];
    for (let i = 0; i < d.length; i++) to.dims[i] = d[i];
    to.type ??= p.type;
    return to;
  };
  const known = (names, list, what) => {
    for (const name in names)
      if (!list.some(p => p.name === name))
        throw error('E502', `there is no ${what} ${name}; the ${what}s are ${list.map(p => p.name).join(', ')}`);
  };
  return {
    name: MODEL.name,
    profile: m.profile,
    inputNames: ins.map(p => p.name),
    outputNames: outs.map(p => p.name),
    inputs: record(ins),
    outputs: record(outs),
    run(inputs, { into } = {}) {
      known(inputs, ins, 'input');
      known(into, outs, 'output');
      for (let i = 0; i < ins.length; i++) data[i] = take(ins[i], inputs?.[ins[i].name]);
      bind();
      for (const g of MODEL.guards) if (g.a(s) !== g.b(s)) throw error('E502', `${g.what}, but they are ${g.a(s)} and ${g.b(s)}`);
      for (let i = 0; i < ins.length; i++) write(ins[i], data[i]);
      for (let i = 0; i < m.args.length; i++) args[i] = s[m.args[i]];
      try {
        exports.run(...args);
      } catch (e) {
        throw error('E502', `the model stopped: ${MODEL.stops[exports.stopped?.() - 1] ?? e.message}`, e);
      }
      for (const i of m.late) s[i] = exports.symbol(i);
      const out = into && outs.every(p => into[p.name]?.data) ? into : {};
      for (const p of outs) out[p.name] = read(p, into?.[p.name]);
      return out;
    },
  };
}
