import { utf8 } from '../core/bytes.ts';
import { fail, must } from '../core/diagnostic.ts';
import { bindAll, concrete, showMisfit, type Bindings } from '../core/bind.ts';
import { symbolsOf, type Dim } from '../core/dim.ts';
import type { DType } from '../core/dtype.ts';
import { fromNumbers, toNumbers, type Tensor } from '../core/tensor.ts';
import { loadInput, loadInputs } from './load.ts';
import { noInput, port, portsOf, wantsOf, type InputPort, type Manifest } from './manifest.ts';

/** The inputs that a .npz or .json file holds. E205, E501. */
export const inputsOfFile = (m: Manifest, file: string): Map<string, Tensor> => loadInputs(file, wantsOf(portsOf(m), m));

/** The outputs that a .npz, .npy, .json or (of one column or more) .csv file holds. E205, E501. */
export function outputsOfFile(m: Manifest, file: string): Map<string, Tensor> {
  const ports = m.outputs.map(p => port(p, m));
  const list = (p: InputPort): boolean => p.shape.length === 1;
  const wants = wantsOf(ports, m).map((w, i) => (list(must(ports[i])) ? { ...w, columns: { count: 1, names: undefined } } : w));
  const out = loadInputs(file, wants);
  for (const p of ports) {
    const t = out.get(p.name);
    if (t && list(p) && t.dims[1] === 1) out.set(p.name, { ...t, dims: t.dims.slice(0, 1) });
  }
  return out;
}

/** A size to try a symbol with: of a batch one, of a length some, within its range. */
const START = 64;

/**
 * Inputs for a bundle from what the command line says (`NAME=FILE.npy|.npz|.json|.csv|zeros|random[:SEED]`) and the tensors given. Inputs
 * that nothing is said about are random; sizes that nothing tells are small ones within their range, or what `size` chooses for a symbol.
 */
export function makeInputs(
  m: Manifest,
  flags: readonly string[],
  o: {
    readonly given?: ReadonlyMap<string, Tensor>;
    readonly seed?: number;
    readonly size?: (symbol: string, lo: number, hi: number) => number | undefined;
    /** Is told what is passed over in files. */
    readonly note?: (text: string) => void;
  } = {},
): Map<string, Tensor> {
  const env: Bindings = new Map();
  const ports = portsOf(m);
  const say = new Map(flags.map(f => splitFlag(f, m)));
  const out = new Map(o.given);
  for (const w of wantsOf(ports, m)) {
    const source = say.get(w.name);
    if (source !== undefined && !isMade(source)) out.set(w.name, widened(loadInput(source, w, o.note), w.dtype));
  }
  // Files tell sizes; the loader says what is wrong with them, so a misfit here only stops the guessing.
  for (const p of ports) {
    const t = out.get(p.name);
    // Rows may be more than a batch holds: whoever runs them does it in parts.
    if (t?.dims.length === p.shape.length && m.rows?.input !== p.name)
      bindAll(
        p.shape.map((want, axis) => ({ want, got: t.dims[axis] ?? 0 })),
        env,
        (_, misfit) => fail('E501', { input: p.name, why: `size ${showMisfit(misfit)}` }),
      );
  }
  ports.forEach((p, i) => {
    if (out.has(p.name)) return;
    p.shape.forEach((d, axis) => {
      for (const s of symbolsOf(d)) {
        if (env.has(s.name)) continue;
        const small = axis === 0 ? Math.max(1, s.lo) : Math.max(s.lo, Math.floor(START / Math.max(1, stepOf(d))));
        const size = Math.min(s.hi, o.size?.(s.name, s.lo, s.hi) ?? small);
        for (const name of equals(s.name, m)) env.set(name, size);
      }
    });
    const source = say.get(p.name) ?? `random:${(o.seed ?? 1) + i}`;
    const texts = p.dtype === 'text' && { texts: textsFor(must(m.inputs[i]).bytes, m) };
    out.set(p.name, loadInput(source, { name: p.name, dtype: p.dtype, dims: concrete(p.shape, env), ...texts }));
  });
  return out;
}
/** Texts that have something to look into: words of both cases, numbers, signs, spaces of all kinds, characters of several bytes. */
const TEXTS = [
  'The quick brown fox',
  'GRÜNE Häuser, 2 Straßen; 日本 😀',
  'a,b--c  d\te',
  'me@example.org',
  'x1_y2 2024-05-06',
  'no',
];
/** What inputs of texts are made of. `bytes`: how many each may have, where the model looks into them. */
function textsFor(bytes: number | string | undefined, m: Manifest): readonly string[] {
  const known = m.texts ?? [];
  if (bytes === undefined) return [...known, 'another text'];
  const most = typeof bytes === 'number' ? bytes : (m.symbols.find(s => s.name === bytes)?.hi ?? Infinity);
  const pairs = known.slice(0, 8).map((t, i) => `${t} ${known[(i + 1) % known.length] ?? ''}`);
  return ['', ...TEXTS, ...known.slice(0, 8), ...pairs].filter(t => utf8(t).length <= most);
}
/** A symbol and those that must be equal to it. */
function equals(name: string, m: Manifest): ReadonlySet<string> {
  const out = new Set([name]);
  for (const found of out)
    for (const [a, b] of m.guards ?? []) {
      if (a === found) out.add(b);
      if (b === found) out.add(a);
    }
  return out;
}
/** Float32 as float64 where that is wanted, which changes no value. */
const widened = (t: Tensor, want: DType): Tensor =>
  want === 'f64' && t.dtype === 'f32' ? fromNumbers('f64', t.dims, toNumbers(t)) : t;
const isMade = (source: string): boolean => /^(zeros|random(:\d+)?)$/.test(source);
const stepOf = (d: Dim): number => (typeof d === 'number' ? 1 : Math.abs(d.terms[0]?.coef ?? 1));
function splitFlag(f: string, m: Manifest): readonly [string, string] {
  const names = m.inputs.map(p => p.name);
  // A name may hold '='.
  const name = names.find(n => f.startsWith(`${n}=`));
  if (name !== undefined) return [name, f.slice(name.length + 1)];
  if (!f.includes('='))
    fail('E403', { option: 'input', why: `'${f}' is not NAME=FILE.npy, .npz, .json, .csv, zeros or random[:SEED]` });
  return noInput(m, f.slice(0, f.indexOf('=')));
}
