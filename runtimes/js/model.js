// The part of a bundle's index.js that is the same for every model and for all that runs it; wasm.js, emnapi.js and addon.js load the code.
// MODEL, which stands before it, describes the model at hand: modules (best first), inputs, outputs, symbols (in the order they can be solved)
// and guards. Inputs of rows of features have `rows`.
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
export const error = (code, why, cause) => Object.assign(new Error(`${code}: ${why}`, cause && { cause }), { code });
// The tag of built-in objects holds across realms, where instanceof does not.
export const tag = x => x?.[Symbol.toStringTag] ?? (Array.isArray(x) ? 'Array' : typeof x);
const count = dims => {
  let n = 1;
  for (let i = 0; i < dims.length; i++) n *= dims[i];
  return n;
};

export const isUrl = x => typeof x === 'string' || tag(x) === 'URL';
export const isPath = x => typeof x === 'string' && !/^[a-z][\w+.-]+:/i.test(x) && !globalThis.location;
/** Whether a place is that of a folder. */
export const isFolder = at => /[/\\]$/.test(at);
/** A file beside the one at `at`, or our own where no place was given. */
export const near = (at, name, own) =>
  at ? (isPath(at) ? at.replace(/[^/\\]*$/, name) : new URL(name, new URL(at, globalThis.location?.href))) : own();

/** A size that may vary is named. */
const varies = n => typeof n === 'string';

/**
 * The model as users see it. `memory`: the bytes in which m.inputs and m.outputs are places. `code`: what runs it, `run(...sizes)`, and tells
 * what came of it: `stopped()`, the number of a reason of the model's own (from 1), and `symbol(i)`, a size that it worked out.
 */
export function ready(m, memory, code) {
  let running = false;
  /** The symbols' values. */
  const s = [];
  const ports = (list, offsets) =>
    list.map((p, i) => {
      const array = ARRAYS[p.type];
      const view = new array(memory.buffer, memory.byteOffset + offsets[i], p.size);
      // The axes that vary, and how many elements there are for one of each.
      const free = p.shape.flatMap((n, axis) => (varies(n) ? [axis] : []));
      const rest = count(p.shape.filter(n => !varies(n)));
      // d: the actual dimensions; those that vary are written anew by each run.
      return {
        ...p,
        array,
        view,
        free,
        rest,
        d: p.shape.map(Number),
        tensor: { data: view, dims: [], type: p.type, shape: p.shape },
      };
    });
  const ins = ports(MODEL.inputs, m.inputs);
  const outs = ports(MODEL.outputs, m.outputs);
  const record = list => Object.fromEntries(list.map(p => [p.name, p.tensor]));
  const D = ins.map(p => p.d);
  const data = [];
  const args = [];
  const is = (p, x) => x instanceof p.array || tag(x) === p.array.name;
  const bad = (p, why) => error('E501', `input ${p.name}: ${why}; it is ${p.type} [${p.shape.join(', ')}]`);

  const checkType = (p, x) => {
    if (is(p, x)) return;
    const t = tag(x);
    const want = p.array.name;
    if ((t === 'Array' && !/float16/.test(p.type)) || (t === 'Float16Array' && p.type === 'float16')) return;
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
      if (p.free.length > 1) throw bad(p, 'pass { data, dims }, since its shape does not follow from the length');
      for (const i of p.free) p.d[i] = values.length / p.rest;
      dims = p.d;
    }
    if (dims.length !== p.shape.length) throw bad(p, `has ${dims.length} dimensions, [${dims}], instead of ${p.shape.length}`);
    for (let i = 0; i < dims.length; i++) {
      const n = Number(dims[i]);
      if (varies(p.shape[i]) ? !(Number.isInteger(n) && n >= 0) : n !== p.shape[i])
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
    const t = is(p, x) ? '' : tag(x);
    if (t === 'Float16Array') x = new Uint16Array(x.buffer, x.byteOffset, x.length);
    p.view.set(t === 'Array' && /^Big/.test(p.array.name) ? x.map(BigInt) : x);
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
      if (!is(p, to.data) || to.data.length < n)
        throw error('E502', `output ${p.name}: into needs a ${p.array.name} of ${n} or more`);
      to.data.set(tensor.data);
    }
    to.dims ??= [];
    for (let i = 0; i < d.length; i++) to.dims[i] = d[i];
    to.type ??= p.type;
    return to;
  };
  const inputNames = ins.map(p => p.name);
  const outputNames = outs.map(p => p.name);
  const known = (given, names, what) => {
    for (const name in given)
      if (!names.includes(name)) throw error('E502', `there is no ${what} ${name}; the ${what}s are ${names.join(', ')}`);
  };
  return {
    name: MODEL.name,
    profile: m.profile,
    inputNames,
    outputNames,
    inputs: record(ins),
    outputs: record(outs),
    run(inputs, { into } = {}) {
      // An accessor of an input may call; and memory that is not WebAssembly's can be transferred to another thread.
      if (running) throw error('E502', 'run was called from within an input of a run');
      if (memory.length === 0) throw error('E502', 'the memory of the model was transferred; load the model again');
      running = true;
      try {
        known(inputs, inputNames, 'input');
        known(into, outputNames, 'output');
        for (let i = 0; i < ins.length; i++) data[i] = take(ins[i], inputs?.[ins[i].name]);
        bind();
        for (const g of MODEL.guards)
          if (g.a(s) !== g.b(s)) throw error('E502', `${g.what}, but they are ${g.a(s)} and ${g.b(s)}`);
        for (let i = 0; i < ins.length; i++) write(ins[i], data[i]);
        for (let i = 0; i < m.args.length; i++) args[i] = s[m.args[i]];
        try {
          code.run(...args);
        } catch (e) {
          throw error('E502', `the model stopped: ${MODEL.stops[code.stopped?.() - 1] ?? e.message}`, e);
        }
        for (const i of m.late) s[i] = code.symbol(i);
        const out = into && outs.every(p => into[p.name]?.data) ? into : {};
        for (const p of outs) out[p.name] = read(p, into?.[p.name]);
        return out;
      } finally {
        running = false;
      }
    },
  };
}
