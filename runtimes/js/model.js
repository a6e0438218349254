// The part of a bundle's index.js that is the same for every model and for all that runs it; wasm.js, emnapi.js and addon.js load the code.
// MODEL, which stands before it, describes the model at hand: modules (best first), inputs, outputs, symbols (in the order they can be solved)
// and guards, and whether outputs must inherit nothing (`bare`: one is named `__proto__`, which only then is a property like others). What is given for inputs that have `from`, and the
// values of outputs that have `to`, go through these.
export const error = (code, why, cause) => Object.assign(new Error(`${code}: ${why}`, cause && { cause }), { code });
// The tag of built-in objects holds across realms, where instanceof does not.
export const tag = x => x?.[Symbol.toStringTag] ?? (Array.isArray(x) ? 'Array' : x === null ? 'null' : typeof x);
function count(dims) {
  let n = 1;
  for (let i = 0; i < dims.length; i++) n *= dims[i];
  return n;
}

export const isUrl = x => typeof x === 'string' || tag(x) === 'URL';
export const isPath = x => typeof x === 'string' && !/^[a-z][\w+.-]+:/i.test(x) && !globalThis.location;
/** Whether a place is that of a folder. */
export const isFolder = at => /[/\\]$/.test(at);
/** A file beside the one at `at`, or our own where no place was given. */
export const near = (at, name, own) =>
  at ? (isPath(at) ? at.replace(/[^/\\]*$/, name) : new URL(name, new URL(at, globalThis.location?.href))) : own();

/** A size that may vary is named. */
const varies = n => typeof n === 'string';

/** Inputs or outputs with their places in memory. d: the actual dimensions; those that vary are written anew by each run. */
function portsOf(list, places, memory) {
  const ports = [];
  for (let i = 0; i < list.length; i++) {
    const p = list[i];
    const view = new p.array(memory.buffer, memory.byteOffset + places[i], p.size);
    ports[i] = { ...p, view, d: p.shape.map(Number), tensor: { data: view, dims: [], type: p.type, shape: p.shape } };
  }
  return ports;
}
const bad = (p, why) => error('E501', `input ${p.name}: ${why}; it is ${p.type} [${p.shape.join(', ')}]`);
function known(given, names, what) {
  for (const name in given)
    if (!names.includes(name)) throw error('E502', `there is no ${what} ${name}; the ${what}s are ${names.join(', ')}`);
}
function is(p, x) {
  return x instanceof p.array || tag(x) === p.array.name;
}
/** What is not of the array type of an input is converted, or refused here. */
const checkOther = (p, x) => {
  const t = tag(x);
  const want = p.array.name;
  if (t === 'Float16Array' && p.type === 'float16') return;
  // A double holds every value of these.
  if (p.type === 'float64' && /^(Float32|U?[Ii]nt(8|16|32))/.test(t)) return;
  if (t === 'Array' && !/float[148]/.test(p.type)) {
    const big = /^Big/.test(want);
    for (let i = 0; i < x.length; i++)
      if (!/^(number|bigint|boolean)$/.test(typeof x[i]) || (big && typeof x[i] === 'number' && !Number.isInteger(x[i])))
        throw bad(p, `value ${i} is ${tag(x[i])}; pass ${big ? 'integers' : 'numbers'} in one list, the last dimension fastest`);
    return;
  }
  const how =
    ArrayBuffer.isView(x) && !/float[148]/.test(p.type)
      ? `: ${want}.from(data${/64$/.test(p.type) && want[0] === 'B' ? ', BigInt' : ''})`
      : '';
  throw bad(p, `pass a ${want} instead of ${t}${how}`);
};
/** The values that are given for an input; their dimensions go to p.d. */
function take(p, given) {
  if (given === undefined || given === null) throw bad(p, 'is missing');
  const x = p.from?.(p, given, bad) ?? given;
  const values = x.data ?? x;
  if (!is(p, values)) checkOther(p, values);
  let dims = x.data && x !== p.tensor ? x.dims : undefined;
  if (!dims) {
    if (p.free?.length > 1) throw bad(p, 'pass { data, dims }');
    if (p.free) p.d[p.free[0]] = values.length / p.rest;
    dims = p.d;
  }
  if (dims.length !== p.shape.length) throw bad(p, `has ${dims.length} dimensions, [${dims}]`);
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
}
/** Gives the symbols their values `s` from the inputs' sizes `D`, and checks that every size agrees with them. */
const bind = (ins, D, s) => {
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
  for (const g of MODEL.guards) if (g.a(s) !== g.b(s)) throw error('E502', `${g.what}, but they are ${g.a(s)} and ${g.b(s)}`);
};
function write(p, x) {
  if (x === p.view) return;
  const t = is(p, x) ? '' : tag(x);
  if (t === 'Float16Array') x = new Uint16Array(x.buffer, x.byteOffset, x.length);
  p.view.set(t === 'Array' && /^Big/.test(p.array.name) ? x.map(BigInt) : x);
}
function read(p, s, into) {
  const { tensor, d } = p;
  p.dims?.(s, (i, v) => {
    d[i] = v;
  });
  const n = count(d);
  if (p.to) return p.to(p, p.view.subarray(0, n));
  if (tensor.data.length !== n) tensor.data = p.view.subarray(0, n);
  const to = !into ? { data: tensor.data.slice() } : ArrayBuffer.isView(into) ? { data: into } : into;
  if (to !== tensor && into) {
    if (!is(p, to.data) || to.data.length < n)
      throw error('E502', `output ${p.name}: into needs a ${p.array.name} of ${n} or more`);
    to.data.set(tensor.data);
  }
  to.dims ??= [];
  for (let i = 0; i < d.length; i++) to.dims[i] = d[i];
  to.type ??= p.type;
  return to;
}

/** Begins a run: its inputs are written, and what the code takes is in x.args. */
export function put(x, inputs, into) {
  const { m, memory, ins, s } = x;
  // An accessor of an input may call; and memory that is not WebAssembly's can be transferred to another thread.
  if (x.running) throw error('E502', 'another run is not done');
  if (memory.length === 0) throw error('E502', 'memory was transferred; load the model again');
  x.running = true;
  known(inputs, x.inputNames, 'input');
  known(into, x.outputNames, 'output');
  for (let i = 0; i < ins.length; i++) x.data[i] = take(ins[i], inputs?.[ins[i].name]);
  if (MODEL.symbols.length > 0) bind(ins, x.D, s);
  for (let i = 0; i < ins.length; i++) write(ins[i], x.data[i]);
  for (let i = 0; i < m.args.length; i++) x.args[i] = s[m.args[i]];
}
/** Why a run stopped: a reason of the model's own, or what the engine says. */
export const stopped = (code, e) => error('E502', `the model stopped: ${MODEL.trap[code.trap?.() - 1] ?? e.message}`, e);
/** The outputs of a run that is through. */
export function get(x, into) {
  const { outs, s } = x;
  const out = into && outs.every(p => into[p.name]?.data) ? into : MODEL.bare ? Object.create(null) : {};
  for (let i = 0; i < outs.length; i++) out[outs[i].name] = read(outs[i], s, into?.[outs[i].name]);
  return out;
}
function answer(x, inputs, into) {
  const { m, code, s } = x;
  const inner = x.running;
  try {
    put(x, inputs, into);
    try {
      code.run(...x.args);
    } catch (e) {
      code.abandon?.();
      throw stopped(code, e);
    }
    for (let i = 0; i < m.late.length; i++) s[m.late[i]] = code.symbol(m.late[i]);
    return get(x, into);
  } finally {
    x.running = inner;
  }
}
/**
 * The model as users see it. `memory`: the bytes in which m.inputs and m.outputs are places. `code`: what runs it, `run(...sizes)`, and tells
 * what came of it: `trap()`, the number of a reason of the model's own (from 1), and `symbol(i)`, a size that it worked out. Where it has
 * `abandon()`, that is called when a run has failed; where it has `ready(x)`, it gets what `put` and `get` take.
 */
export function ready(m, memory, code) {
  const ins = portsOf(MODEL.inputs, m.inputs, memory);
  const outs = portsOf(MODEL.outputs, m.outputs, memory);
  const name = p => p.name;
  const inputNames = ins.map(name);
  const outputNames = outs.map(name);
  const D = ins.map(p => p.d);
  // s: the symbols' values.
  const x = { m, memory, code, ins, outs, inputNames, outputNames, D, s: [], data: [], args: [], running: false };
  code.ready?.(x);
  const tensor = p => [p.name, p.tensor];
  return {
    name: MODEL.name,
    profile: m.profile,
    inputNames,
    outputNames,
    inputs: Object.fromEntries(ins.map(tensor)),
    outputs: Object.fromEntries(outs.map(tensor)),
    run: (inputs, options) => answer(x, inputs, options?.into),
  };
}
