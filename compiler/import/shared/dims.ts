import { quoteShell } from '../../core/quote.ts';
import { fail, type Warning, type Loc } from '../../core/diagnostic.ts';
import { MOST_AXES } from '../../core/shape.ts';
import { didYouMean } from '../../core/suggest.ts';
import { dimMul, parseDim, substitute, symbol, type Dim } from '../../core/dim.ts';

/** What a free dimension may be: one size, or sizes from `lo` to `hi` in steps of `step` (1). */
export type DimChoice = number | { readonly lo: number; readonly hi: number; readonly step?: number };
export type DimChoices = Readonly<Record<string, DimChoice>>;

/** What whole inputs may be, axis by axis; null leaves an axis as the file has it. */
export type ShapeChoices = Readonly<Record<string, readonly (DimChoice | null)[]>>;

/** An input as a file declares it. */
export interface DeclaredInput {
  readonly name: string;
  /** A size, a name or an expression over names, or undefined: open and without a name. Undefined as a whole: the rank is open too. */
  readonly shape: readonly (number | string | undefined)[] | undefined;
}
/** A size that the file leaves open. */
interface Free {
  /** The name to give a size by: the file's own name for it, else `<input>_<axis>`. */
  readonly name: string;
  /** What the file calls it, where that is no name: a choice for it goes for all that are called so. */
  readonly called?: string;
  readonly places: { readonly input: string; readonly axis: number; readonly rank: number }[];
}
const LARGEST = 2 ** 31 - 1;
/** A range of sizes, both ends inclusive. */
export interface SizeRange {
  readonly lo: number;
  readonly hi: number;
}
/** The range of a batch that nobody chose. */
export const BATCH: SizeRange = { lo: 1, hi: 16 };
/** The same of rows of features, `bytes` each: 10,000, fewer where they would take more than 64 MiB. */
export const rowRange = (bytes: number): SizeRange => ({
  lo: 1,
  hi: Math.max(1, Math.min(10_000, Math.floor((64 * 2 ** 20) / Math.max(1, bytes)))),
});

/** Makes a name of the file fit for expressions over dimensions. */
export const symbolName = (raw: string): string => {
  const s = raw.replaceAll(/[^\w.:/]/g, '_');
  return /^[A-Za-z_]/.test(s) ? s : `_${s}`;
};
/** What exporters write where they know no name: two axes called so need not be equal. */
const isNoName = (raw: string): boolean =>
  /^(?:[?*_-]*|-1|none|null|nan|n\/a|unk(?:nown)?|undefined|any|dyn(?:amic)?|unk_*\d+)$/i.test(raw.trim());
/** Names in `a + b*2`, or undefined where the text is no arithmetic but a name in itself. */
function namesIn(text: string): readonly string[] | undefined {
  if (!/[+*-]/.test(text) || !/^[A-Za-z_]\w*(?:(?:[+*]|-(?=\d))(?:\d+|[A-Za-z_]\w*))*$/.test(text.replaceAll(/\s/g, '')))
    return undefined;
  return text.match(/[A-Za-z_]\w*/g) ?? [];
}

interface SizesOptions {
  readonly file: string;
  readonly dims: DimChoices;
  readonly shapes?: ShapeChoices;
  /** Sizes of whole inputs, which go before what the file says. */
  readonly inputSizes?: Readonly<Record<string, readonly Dim[]>>;
  /** What is taken for the batch; default: `BATCH`. */
  readonly batch?: SizeRange;
}
/**
 * The sizes of a model's inputs. A size that the file leaves open is a symbol: of the file's name for it (`batch`, `seq`; two of
 * one name are equal; `past + seq` is computed), else `<input>_<axis>`. What it may be says, in this order:
 * 1. the caller's choice for that name: a number fixes it; `{ lo, hi }` makes it free in that range; with `step`, the symbol counts steps;
 * 2. where it is the first of several axes of an input, it is taken for a batch (and a warning says so);
 * 3. else E301 names all that are open, and how to choose them.
 * A choice for `batch`, where nothing is called so, is for the first axes that have no name: they are then equal.
 * E302: a choice for a name that is not open, or one that makes no sense. E301: an input whose number of axes is not declared.
 */
export function inputShapes(
  declared: readonly DeclaredInput[],
  o: SizesOptions,
  warn: (w: Warning) => void,
): Map<string, readonly Dim[]> {
  const loc: Loc = { k: 'file', file: o.file, what: '' };
  const given = new Map(Object.entries(o.inputSizes ?? {}));
  const { inputs, dims } = withShapes(withBatch(declared, o.dims), o.shapes ?? {}, o.dims, loc);
  const left = inputs.filter(i => !given.has(i.name));
  for (const i of left) declaredShape(i, loc);
  const chosen = choose(freeSizes(left), dims, o.batch ?? BATCH, loc, warn);
  const sizeOf = (raw: string): Dim => chosen.get(symbolName(raw)) ?? 1;
  const out = new Map<string, readonly Dim[]>();
  for (const i of inputs) {
    const shape: readonly Dim[] =
      given.get(i.name) ??
      declaredShape(i, loc).map((d, axis): Dim => {
        if (typeof d === 'number') return d;
        if (d !== undefined && namesIn(d)) return expression(d, sizeOf);
        return sizeOf(openNames(d, i.name, axis)[0] ?? '');
      });
    if (shape.length > MOST_AXES)
      fail('E302', { dim: `of '${i.name}'`, why: `${shape.length} axes are more than ${MOST_AXES}` }, loc);
    shape.forEach((d, axis) => {
      if (typeof d === 'number' && !(d >= 0 && d <= LARGEST))
        fail('E302', { dim: `${i.name}_${axis}`, why: `${d} is not a size (0 to ${LARGEST})` }, loc);
    });
    out.set(i.name, shape);
  }
  return out;
}
/** The inputs with first axes called `batch` where a batch is chosen and none is called so. */
function withBatch(declared: readonly DeclaredInput[], dims: DimChoices): readonly DeclaredInput[] {
  if (!Object.hasOwn(dims, 'batch') || freeSizes(declared).has('batch')) return declared;
  return declared.map(i => {
    const first = i.shape?.[0];
    const open = i.shape && i.shape.length > 0 && (first === undefined || (typeof first === 'string' && isNoName(first)));
    return open ? { ...i, shape: ['batch', ...i.shape.slice(1)] } : i;
  });
}
/**
 * The inputs and the choices by name that choices for whole inputs amount to. An input of which the file does not say how many axes it has gets as
 * many as are chosen. E302: there is no such input, or the choice does not fit what the file or another choice says.
 */
function withShapes(
  declared: readonly DeclaredInput[],
  shapes: ShapeChoices,
  dims: DimChoices,
  loc: Loc,
): { readonly inputs: readonly DeclaredInput[]; readonly dims: DimChoices } {
  const names = declared.map(i => i.name);
  for (const name of Object.keys(shapes))
    if (!names.includes(name))
      fail('E302', { dim: `of '${name}'`, why: `there is no such input${didYouMean(name, names)} (${names.join(', ')})` }, loc);
  const chosen = new Map(Object.entries(dims));
  const inputs = declared.map(i => {
    const sizes = Object.hasOwn(shapes, i.name) ? shapes[i.name] : undefined;
    if (!sizes) return i;
    const shape = i.shape ?? sizes.map(() => undefined);
    const bad = (axis: number, why: string): never => fail('E302', { dim: `${axis} of '${i.name}'`, why }, loc);
    if (shape.length !== sizes.length) bad(sizes.length, `the input has ${shape.length} axes, not ${sizes.length}`);
    sizes.forEach((c, axis) => {
      const d = shape[axis];
      if (c === null || c === d) return;
      if (typeof d === 'number') return bad(axis, `it is ${d} in the file, which cannot be changed`);
      const [raw, ...others] = openNames(d, i.name, axis);
      if (raw === undefined || raw === '' || others.length > 0 || (d !== undefined && namesIn(d)))
        return bad(axis, `it is ${d ?? ''} in the file; choose that with --dim`);
      const name = symbolName(raw);
      const before = chosen.get(name);
      if (before !== undefined && !sameChoice(before, c)) bad(axis, `${name} is chosen as two different sizes`);
      chosen.set(name, c);
    });
    return { ...i, shape };
  });
  return { inputs, dims: Object.fromEntries(chosen) };
}
function sameChoice(a: DimChoice, b: DimChoice): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return a.lo === b.lo && a.hi === b.hi && (a.step ?? 1) === (b.step ?? 1);
}
/** The sizes that inputs leave open, by the name to give them by. */
export function freeSizes(inputs: readonly DeclaredInput[]): Map<string, Free> {
  const free = new Map<string, Free>();
  for (const i of inputs)
    i.shape?.forEach((d, axis, all) => {
      if (typeof d === 'number') return;
      for (const raw of openNames(d, i.name, axis)) {
        const name = symbolName(raw);
        const f = free.get(name) ?? { name, places: [], ...(d !== undefined && isNoName(d) && { called: d }) };
        f.places.push({ input: i.name, axis, rank: all.length });
        free.set(name, f);
      }
    });
  return free;
}
const declaredShape = (i: DeclaredInput, loc: Loc): NonNullable<DeclaredInput['shape']> =>
  i.shape ??
  fail(
    'E301',
    {
      dim: `of '${i.name}'`,
      why: 'the model does not say how many axes this input has',
      flags: `--shape ${quoteShell(i.name)}=1x3x224x224`,
    },
    loc,
  );
function openNames(param: string | undefined, input: string, axis: number): readonly string[] {
  return param === undefined || isNoName(param) ? [`${input}_${axis}`] : (namesIn(param) ?? [param]);
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
  batch: SizeRange,
  loc: Loc,
  warn: (w: Warning) => void,
): Map<string, Dim> {
  const open = [...free.keys()];
  const picked = new Map<string, DimChoice>();
  for (const [raw, c] of Object.entries(choices)) {
    const name = symbolName(raw);
    const alike = [...free.values()].filter(f => f.called === raw);
    for (const f of alike) picked.set(f.name, c);
    if (!free.has(name) && alike.length === 0)
      fail(
        'E302',
        { dim: raw, why: open.length === 0 ? 'this model has no free dimension' : `the free dimensions are ${open.join(', ')}` },
        loc,
      );
  }
  for (const [raw, c] of Object.entries(choices)) if (free.has(symbolName(raw))) picked.set(symbolName(raw), c);
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
    const why = ask.map(f => `${f.name} is ${places(f)}`).join('; ');
    const flags = ask.map(f => `--dim ${f.name}=${suggestion(f)}`).join(' ');
    fail('E301', { dim: ask.map(f => f.name).join(', '), why, flags }, loc);
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

/** A usual size for a dimension that nothing is known of. */
export function trialSize(f: { readonly places: readonly { readonly axis: number; readonly rank: number }[] }): number {
  if (f.places.some(p => p.axis === 0 && p.rank > 1)) return 1;
  return f.places.some(p => p.rank === 4 && p.axis >= 2) ? 224 : 128;
}
