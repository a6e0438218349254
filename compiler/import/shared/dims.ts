import { fail, type Warning, type Loc } from '../../core/diagnostic.ts';
import { dimMul, parseDim, substitute, symbol, type Dim } from '../../core/dim.ts';
import type { GraphProto, TensorShapeProto } from '../onnx/records.ts';

/** What a free dimension may be: one size, or sizes from `lo` to `hi` in steps of `step` (1). */
export type DimChoice = number | { readonly lo: number; readonly hi: number; readonly step?: number };
export type DimChoices = Readonly<Record<string, DimChoice>>;

/** A size that the file leaves open. */
export interface Free {
  /** The name to give a size by: the file's own name for it, else `<input>_<axis>`. */
  readonly name: string;
  readonly places: { readonly input: string; readonly axis: number; readonly rank: number }[];
}
const LARGEST = 2 ** 31 - 1;
/** The range of a batch that nobody chose, and of rows of features for trees: those take so many at least as a matter of course. */
const BATCH = { lo: 1, hi: 16 };
const ROWS = { lo: 1, hi: 10_000, bytes: 64 * 2 ** 20 };

/** Makes a name of the file fit for expressions over dimensions. */
export const symbolName = (raw: string): string => {
  const s = raw.replaceAll(/[^\w.:/]/g, '_');
  return /^[A-Za-z_]/.test(s) ? s : `_${s}`;
};
/** Names in `a + b*2`, or undefined where the text is no arithmetic but a name in itself. */
function namesIn(text: string): readonly string[] | undefined {
  if (!/[+*-]/.test(text) || !/^[A-Za-z_]\w*(?:(?:[+*]|-(?=\d))(?:\d+|[A-Za-z_]\w*))*$/.test(text.replaceAll(/\s/g, '')))
    return undefined;
  return text.match(/[A-Za-z_]\w*/g) ?? [];
}

export interface SizesOptions {
  readonly file: string;
  readonly dims: DimChoices;
  /** Sizes of whole inputs, which go before what the file says. */
  readonly shapes: Readonly<Record<string, readonly Dim[]>>;
}
/**
 * The sizes of a model's inputs. A size that the file leaves open is a symbol: of the file's name for it (`batch`, `seq`; two of
 * one name are equal; `past + seq` is computed), else `<input>_<axis>`. What it may be says, in this order:
 * 1. the caller's choice for that name: a number fixes it; `{ lo, hi }` makes it free in that range; with `step`, the symbol counts steps;
 * 2. where it is the first of several axes of an input, it is taken for a batch: 1 to 16, of rows for trees 1 to 10,000, fewer where
 *    they would take more than 64 MiB (and a warning says so);
 * 3. else E301 names all that are open, and how to choose them.
 * E302: a choice for a name that is not open, or one that makes no sense. E301: an input whose number of axes is not declared.
 */
export function inputShapes(
  g: GraphProto,
  names: ReadonlySet<string>,
  o: SizesOptions,
  warn: (w: Warning) => void,
): Map<string, readonly Dim[]> {
  const loc: Loc = { k: 'file', file: o.file, what: '' };
  const inputs = g.input.filter(i => names.has(i.name));
  for (const i of inputs) if (!Object.hasOwn(o.shapes, i.name)) declared(i.type?.tensorType?.shape, i.name, loc);
  const free = freeSizes(g, name => names.has(name) && !Object.hasOwn(o.shapes, name));
  const chosen = choose(free, o.dims, batchOf(g), loc, warn);
  const out = new Map<string, readonly Dim[]>();
  for (const i of inputs) {
    const given = Object.hasOwn(o.shapes, i.name) ? o.shapes[i.name] : undefined;
    const shape =
      given ??
      declared(i.type?.tensorType?.shape, i.name, loc).dim.map((d, axis): Dim => {
        if (d.dimValue !== undefined && d.dimValue >= 0) return d.dimValue;
        const param = d.dimParam ?? '';
        const sizeOf = (raw: string): Dim => chosen.get(symbolName(raw)) ?? 1;
        if (namesIn(param)) return expression(param, sizeOf);
        return sizeOf(param === '' ? `${i.name}_${axis}` : param);
      });
    shape.forEach((d, axis) => {
      if (typeof d === 'number' && !(d >= 0 && d <= LARGEST))
        fail('E302', { dim: `${i.name}_${axis}`, why: `${d} is not a size (0 to ${LARGEST})` }, loc);
    });
    out.set(i.name, shape);
  }
  return out;
}
function batchOf(g: GraphProto): { readonly lo: number; readonly hi: number } {
  if (!g.node.some(n => n.domain === 'ai.onnx.ml' && n.opType.startsWith('TreeEnsemble'))) return BATCH;
  const columns = g.input.map(i => {
    const sizes = i.type?.tensorType?.shape?.dim ?? [];
    return sizes.slice(1).reduce((n, d) => n * Math.max(1, d.dimValue ?? 1), 1);
  });
  const most = Math.floor(ROWS.bytes / 4 / Math.max(1, ...columns));
  return { lo: ROWS.lo, hi: Math.max(BATCH.hi, Math.min(ROWS.hi, most)) };
}
/** The sizes that a file leaves open in the inputs named, by the name to give them by. */
export function freeSizes(g: GraphProto, isInput: (name: string) => boolean): Map<string, Free> {
  const free = new Map<string, Free>();
  for (const i of g.input) {
    if (!isInput(i.name)) continue;
    i.type?.tensorType?.shape?.dim.forEach((d, axis, all) => {
      if (d.dimValue !== undefined && d.dimValue >= 0) return;
      for (const raw of openNames(d.dimParam, i.name, axis)) {
        const name = symbolName(raw);
        const f = free.get(name) ?? { name, places: [] };
        f.places.push({ input: i.name, axis, rank: all.length });
        free.set(name, f);
      }
    });
  }
  return free;
}
function declared(s: TensorShapeProto | undefined, input: string, loc: Loc): TensorShapeProto {
  return (
    s ??
    fail(
      'E301',
      { dim: `of '${input}'`, why: 'the model does not say how many axes this input has; export it with a shape' },
      loc,
    )
  );
}
function openNames(param: string | undefined, input: string, axis: number): readonly string[] {
  if (param === undefined || param === '') return [`${input}_${axis}`];
  return namesIn(param) ?? [param];
}
/** `a+2*b` with the sizes of the names put in; products bind tighter. */
function expression(text: string, sizeOf: (name: string) => Dim): Dim {
  return substitute(
    parseDim(text.replaceAll(/\s/g, ''), () => ({ lo: 0, hi: LARGEST })),
    sizeOf,
  );
}

function choose(
  free: ReadonlyMap<string, Free>,
  choices: DimChoices,
  batch: { readonly lo: number; readonly hi: number },
  loc: Loc,
  warn: (w: Warning) => void,
): Map<string, Dim> {
  const open = [...free.keys()];
  const picked = new Map<string, DimChoice>();
  for (const [raw, c] of Object.entries(choices)) {
    const name = symbolName(raw);
    if (!free.has(name))
      fail(
        'E302',
        { dim: raw, why: open.length === 0 ? 'this model has no free dimension' : `the free dimensions are ${open.join(', ')}` },
        loc,
      );
    picked.set(name, c);
  }
  const out = new Map<string, Dim>();
  const ask: Free[] = [];
  for (const f of free.values()) {
    const c = picked.get(f.name);
    if (c !== undefined) out.set(f.name, sizeOfChoice(f.name, c, loc));
    else if (f.places.some(p => p.axis === 0 && p.rank > 1)) {
      out.set(f.name, symbol(f.name, batch.lo, batch.hi));
      const message = `dimension ${f.name} is free and taken for a batch of ${batch.lo} to ${batch.hi}; choose with --dim ${f.name}=N or ${f.name}=A..B`;
      warn({ code: 'batch', message, loc });
    } else ask.push(f);
  }
  if (ask.length > 0) {
    const where = ask.map(f => `${f.name} is ${places(f)}`).join('; ');
    const flags = ask.map(f => `--dim ${f.name}=${suggestion(f)}`).join(' ');
    fail('E301', { dim: ask.map(f => f.name).join(', '), why: `give a size or a range, such as ${flags} (${where})` }, loc);
  }
  return out;
}
const places = (f: Free): string =>
  [
    ...f.places.slice(0, 3).map(p => `axis ${p.axis} of '${p.input}'`),
    ...(f.places.length > 3 ? [`${f.places.length - 3} more`] : []),
  ].join(', ');
/** Pictures are usually of one size, sequences are not. */
const suggestion = (f: Free): string =>
  f.places.some(p => p.rank === 4 && p.axis >= 1) && !/seq|len|time|past/i.test(f.name) ? '224' : '1..512';

/** The size that a choice stands for. E302 where it makes no sense. */
export function sizeOfChoice(name: string, c: DimChoice, loc: Loc): Dim {
  const bad = (why: string): never => fail('E302', { dim: name, why }, loc);
  const size = (n: number): number => (Number.isInteger(n) && n >= 0 && n <= LARGEST ? n : bad(`${n} is not a size`));
  if (typeof c === 'number') return size(c);
  const step = c.step ?? 1;
  if (!Number.isInteger(step) || step < 1) bad(`a step of ${step}`);
  if (size(c.lo) > size(c.hi)) bad(`the range ${c.lo}..${c.hi} is empty`);
  if (step === 1) return symbol(name, c.lo, c.hi);
  if (c.lo % step !== 0 || c.hi % step !== 0) bad(`${c.lo}..${c.hi} must begin and end at a multiple of its step ${step}`);
  return dimMul(step, symbol(name, c.lo / step, c.hi / step));
}
