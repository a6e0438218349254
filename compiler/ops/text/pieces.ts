import { must } from '../../core/diagnostic.ts';
import { dimAdd, dimMax, type Dim } from '../../core/dim.ts';
import { tensorType } from '../../core/shape.ts';
import { fromNumbers, toNumbers } from '../../core/tensor.ts';
import type { KernelBuilder } from '../../kernel/builder.ts';
import { add, cast, ge, gt, int, lt, max, ne, select, sub, vtype, type Expr } from '../../kernel/ir.ts';
import { attr, defineOp } from '../define.ts';
import type { LowerCtx, Ref, SlotBuffer } from '../lowering.ts';
import { countSymbols, readCount } from '../sort/select.ts';
import { checkSpelt, eachText, rowOf, spellings, spelt, textsIn } from './rows.ts';
import {
  byteAt,
  emitCharacters,
  emitLength,
  emitMatch,
  emitNext,
  emitSearch,
  isInside,
  matchAt,
  searchFrom,
  type Row,
} from './search.ts';

interface PiecesAttrs {
  /** Where each automaton begins in the list of them. */
  readonly automata: readonly number[];
  readonly keep: 'between' | 'matches';
  /** Characters below which a piece is dropped. */
  readonly shortest: number;
  /** Pieces after which a text is not cut any more; 0: none. */
  readonly most: number;
  /** Whether a piece of the character 2 is in front, and one of the character 3 behind; not where no text has a piece. */
  readonly marks: boolean;
  readonly count: Dim;
}
/** A piece of a text: where it begins and ends. */
type Span = readonly [number, number];

export const TextPieces = defineOp({
  name: 'TextPieces',
  doc:
    'The pieces of each text, [..., count, bytes], and how many it has (marks not counted): what automata match in it, or what is between that, by one automaton ' +
    'after the other. Texts of fewer pieces than others are filled up with `pad`.',
  inputs: ['x', 'automata', 'pad'],
  attrs: {
    automata: attr.ints(),
    keep: attr.oneOf(['between', 'matches']),
    shortest: attr.int(0),
    most: attr.int(0),
    marks: attr.bool(false),
    count: attr.dim(),
  },
  infer: c => {
    const x = checkSpelt(c, 0);
    const pad = checkSpelt(c, 2);
    if (must(c.types[1]).dtype !== 'i32') c.reject('automata are integers');
    if (pad.shape.length !== 1) c.reject('there is one text to fill up with');
    const sizes = x.shape.slice(0, -1);
    const width = dimMax(must(x.shape.at(-1)), must(pad.shape[0]));
    return [tensorType('u8', [...sizes, c.attrs.count, width]), tensorType('i64', sizes)];
  },
  definesSymbols: countSymbols,
  eval: (c, x, automata, pad) => {
    const t = must(x);
    const found = spellings(t).map(text => piecesOf(c.attrs, toNumbers(must(automata)), text));
    const marked = c.attrs.marks && found.some(p => p.length > 0);
    const pieces = found.map(p => (marked ? [Uint8Array.of(2), ...p, Uint8Array.of(3)] : p));
    const count = typeof c.attrs.count === 'number' ? c.attrs.count : pieces.reduce((n, p) => Math.max(n, p.length), 0);
    const [filler] = spellings(must(pad));
    const all = pieces.flatMap(p => Array.from({ length: count }, (_, i) => p[i] ?? must(filler)));
    const sizes = t.dims.slice(0, -1);
    const width = Math.max(t.dims.at(-1) ?? 0, must(pad).dims[0] ?? 0);
    return [
      spelt([...sizes, count], width, all),
      fromNumbers(
        'i64',
        sizes,
        found.map(p => p.length),
      ),
    ];
  },
  lower: { k: 'kernel', build: c => lowerPieces(c) },
});

const charactersIn = (t: Uint8Array, from: number, to: number): number => t.subarray(from, to).filter(b => !isInside(b)).length;
const next = (t: Uint8Array, at: number, end: number): number => {
  let p = at + 1;
  while (p < end && isInside(t[p] ?? 0)) p++;
  return p;
};
function piecesOf(a: PiecesAttrs, automata: Float64Array, text: Uint8Array): Uint8Array[] {
  let spans: readonly Span[] = [[0, text.length]];
  for (const at of a.automata) spans = spans.flatMap(s => cutSpan(a, automata.subarray(at), text, s));
  return spans.map(([from, to]) => text.subarray(from, to));
}
function cutSpan(a: PiecesAttrs, automaton: Float64Array, t: Uint8Array, [from, end]: Span): Span[] {
  const out: Span[] = [];
  const push = (b: number, e: number): void => {
    if (charactersIn(t, b, e) >= a.shortest) out.push([b, e]);
  };
  let begin = from;
  let at = from;
  while (a.most === 0 || out.length < a.most - 1) {
    const m = searchFrom(automaton, t, at, end);
    if (!m) break;
    const [b, e] = m;
    if (e > b) {
      if (a.keep === 'matches') push(b, e);
      else push(begin, b);
      begin = at = e;
    } else if (b >= end) break;
    else {
      // An empty match takes a character with it.
      if (a.keep === 'between') push(begin, b);
      begin = at = next(t, b, end);
    }
  }
  if (a.keep === 'matches') return out;
  // What is left is not cut, but a separator in front of it is none of it where empty pieces are dropped.
  if (a.most > 0 && a.shortest > 0) begin = Math.max(begin, matchAt(automaton, t, begin, end));
  push(begin, end);
  return out;
}

/** Spans in memory: where they begin and end. */
interface Spans {
  readonly begin: SlotBuffer;
  readonly end: SlotBuffer;
}
function lowerPieces(c: LowerCtx<PiecesAttrs>): void {
  const { attrs } = c;
  const { x, width, sizes } = textsIn(c, 0);
  const { buffer: list } = c.contiguous(1);
  const pad = c.contiguous(2);
  const automata = attrs.automata.map(at => c.part(list, at));
  const room = dimAdd(width, 1);
  const spans = (name: string): Spans => ({
    begin: c.temp(`${name}_begin`, 'i32', room),
    end: c.temp(`${name}_end`, 'i32', room),
  });
  const [here, there] = [spans('pieces'), spans('cut')];
  /** Writes the spans of a text; gives where they are, and how many. */
  const cut = (k: KernelBuilder, r: Row): { readonly spans: Spans; readonly n: Expr } => {
    let [now, then] = [here, there];
    k.store(now.begin, 0, int(0));
    k.store(now.end, 0, emitLength(k, r, k.dim(width)));
    let n: Expr = int(1);
    for (const automaton of automata) {
      const m = k.var(int(0));
      k.for(0, n, s => emitCut(k, attrs, automaton, r, k.let(k.load(now.begin, s)), k.let(k.load(now.end, s)), then, m));
      [now, then] = [then, now];
      n = m;
    }
    return { spans: now, n };
  };
  const marks = attrs.marks ? 1 : 0;
  const cell = c.temp('count', 'i32', 1);
  const counts = c.sink(1);
  c.kernel('text_pieces_count', k => {
    const most = k.var(int(0));
    eachText(
      k,
      sizes,
      (idx, n) => {
        const total = k.let(cut(k, rowOf(k, x, n)).n);
        counts.store(k, idx, cast(vtype('i64'), total));
        k.set(most, max(most, total));
      },
      false,
    );
    k.store(cell, 0, select(gt(most, 0), add(most, 2 * marks), most));
  });
  readCount(c, cell);
  const out = c.sink(0);
  const bytes = must(out.dims.at(-1));
  c.kernel('text_pieces', k =>
    eachText(
      k,
      sizes,
      (idx, n) => {
        const r = rowOf(k, x, n);
        const found = cut(k, r);
        const store = (piece: Expr, byte: Expr, value: Expr): void => out.store(k, [...idx, piece, byte], value);
        const zeros = (piece: Expr, from: Expr): void => k.for(from, bytes, p => store(piece, p, int(0)));
        const mark = (piece: Expr, value: number): void => {
          store(piece, int(0), int(value));
          zeros(piece, int(1));
        };
        if (marks) k.if(gt(k.dim(attrs.count), 0), () => mark(int(0), 2));
        k.for(0, found.n, s => {
          const piece = k.let(add(s, marks));
          const from = k.let(k.load(found.spans.begin, s));
          const length = k.let(sub(k.load(found.spans.end, s), from));
          k.for(0, length, p => store(piece, p, byteAt(k, r, add(from, p))));
          zeros(piece, length);
        });
        if (marks) k.if(gt(k.dim(attrs.count), 0), () => mark(k.let(add(found.n, 1)), 3));
        k.for(k.let(add(found.n, 2 * marks)), attrs.count, piece => {
          fill(k, pad, p => store(piece, p.at, p.value));
          zeros(piece, k.dim(must(pad.dims[0])));
        });
      },
      false,
    ),
  );
}
const fill = (k: KernelBuilder, pad: Ref, put: (p: { readonly at: Expr; readonly value: Expr }) => void): void =>
  k.for(0, must(pad.dims[0]), at => put({ at, value: k.load(pad.buffer, at) }));

/** `cutSpan` in a kernel: writes spans from `m` on, and counts them there. */
function emitCut(
  k: KernelBuilder,
  a: PiecesAttrs,
  automaton: SlotBuffer,
  r: Row,
  from: Expr,
  end: Expr,
  to: Spans,
  m: Expr,
): void {
  const push = (b: Expr, e: Expr): void => {
    const write = (): void => {
      k.store(to.begin, m, b);
      k.store(to.end, m, e);
      k.set(m, add(m, 1));
    };
    if (a.shortest <= 0) write();
    else if (a.shortest === 1) k.if(gt(e, b), write);
    else k.if(ge(emitCharacters(k, r, b, e), a.shortest), write);
  };
  const begin = k.var(from);
  const at = k.var(from);
  const going = k.var(a.most === 0 ? int(1) : lt(m, a.most - 1));
  const [b, e] = [k.var(int(0)), k.var(int(-1))];
  k.while(
    () => ne(going, 0),
    () => {
      emitSearch(k, automaton, r, at, end, b, e);
      k.if(
        lt(e, 0),
        () => k.set(going, int(0)),
        () =>
          k.if(
            gt(e, b),
            () => {
              if (a.keep === 'matches') push(b, e);
              else push(begin, b);
              k.set(begin, e);
              k.set(at, e);
              if (a.most > 0) k.set(going, lt(m, a.most - 1));
            },
            () =>
              k.if(
                ge(b, end),
                () => k.set(going, int(0)),
                () => {
                  if (a.keep === 'between') push(begin, b);
                  k.set(at, emitNext(k, r, b, end));
                  k.set(begin, at);
                },
              ),
          ),
      );
    },
  );
  if (a.keep === 'matches') return;
  if (a.most > 0 && a.shortest > 0) {
    emitMatch(k, automaton, r, begin, end, e);
    k.set(begin, k.let(select(gt(e, begin), e, begin)));
  }
  push(begin, end);
}
