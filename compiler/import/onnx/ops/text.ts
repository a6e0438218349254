import { must } from '../../../core/diagnostic.ts';
import { dimHi, dimProd, type Dim } from '../../../core/dim.ts';
import { asSpelt, textTensor } from '../../../core/texts.ts';
import { fromNumbers, fromTyped } from '../../../core/tensor.ts';
import type { Value } from '../../../graph/graph.ts';
import { Cast, Equal } from '../../../ops/elementwise/index.ts';
import { broadcastShapes } from '../../../ops/elementwise/op.ts';
import { Pad } from '../../../ops/movement/pad.ts';
import { Reduce } from '../../../ops/reduce/reduce.ts';
import { Compress } from '../../../ops/sort/select.ts';
import { TextCase } from '../../../ops/text/case.ts';
import { TextJoin } from '../../../ops/text/join.ts';
import { TextMatch } from '../../../ops/text/match.ts';
import { TextPieces } from '../../../ops/text/pieces.ts';
import { TextPlaces } from '../../../ops/text/places.ts';
import { lookedUp } from '../../shared/lookup.ts';
import { automatonOf } from '../../shared/regex/dfa.ts';
import { lowerOf } from '../../shared/regex/sets.ts';
import { concat, expand, reshape } from '../../shared/views.ts';
import type { ImportCtx, Item, OnnxNode } from '../registry.ts';
import { widthOf } from '../spelt.ts';

/** Operators that look into texts. `texts` are the operands by what they hold; other operands are undefined there. */
export type TextBuilder = (n: OnnxNode, c: ImportCtx, texts: readonly (Value | undefined)[]) => readonly Item[];

const textAt = (n: OnnxNode, texts: readonly (Value | undefined)[], i: number): Value =>
  texts[i] ?? n.reject(`input ${i} must be strings`);
const sizesOf = (x: Value): readonly Dim[] => x.type.shape.slice(0, -1);

function automaton(n: OnnxNode, c: ImportCtx, pattern: string): Int32Array {
  const a = automatonOf(
    pattern,
    why => n.reject(why),
    why => n.unsupported(why),
  );
  c.room(a.length, 'an automaton');
  return a;
}
const literal = (text: string): string => Array.from(text, ch => `\\x{${must(ch.codePointAt(0)).toString(16)}}`).join('');

const regexFullMatch: TextBuilder = (n, c, texts) => {
  const a = automaton(n, c, n.string('pattern', ''));
  return [c.apply1(TextMatch, [textAt(n, texts, 0), c.constant(fromTyped('i32', [a.length], a))])];
};

const stringConcat: TextBuilder = (n, c, texts) => {
  const [a, b] = [textAt(n, texts, 0), textAt(n, texts, 1)];
  const shape = broadcastShapes(sizesOf(a), sizesOf(b), (x, y) => {
    c.expect(x, y, `sizes that must be equal or 1`);
    return x;
  });
  const wide = (x: Value): Value => {
    const missing = new Array<Dim>(shape.length - sizesOf(x).length).fill(1);
    return expand(c, reshape(c, x, [...missing, ...x.type.shape]), [...shape, widthOf(x)]);
  };
  return [{ spelt: c.apply1(TextJoin, [wide(a), wide(b)]) }];
};

const stringNormalizer: TextBuilder = (n, c, texts) => {
  const x = textAt(n, texts, 0);
  const shape = sizesOf(x);
  if (shape.length === 2) c.expect(must(shape[0]), 1, 'of two axes the first must have one element');
  else if (shape.length !== 1) n.reject(`x has ${shape.length} axes, must have one or two`);
  const action = n.string('case_change_action', 'NONE');
  if (action !== 'NONE' && action !== 'LOWER' && action !== 'UPPER') n.reject(`case_change_action '${action}'`);
  const cased = (v: Value): Value => (action === 'NONE' ? v : c.apply1(TextCase, [v], { upper: action === 'UPPER' }));
  const stops = n.strings('stopwords', []);
  if (stops.length === 0) return [{ spelt: cased(x) }];
  const sensitive = n.bool('is_case_sensitive', false);
  const rows = reshape(c, x, [dimProd(shape), widthOf(x)]);
  const compared = sensitive ? rows : c.apply1(TextCase, [rows], { upper: false });
  const words = sensitive
    ? stops
    : stops.map(s => Array.from(s, ch => String.fromCodePoint(lowerOf(must(ch.codePointAt(0))))).join(''));
  const keys = textTensor([words.length], words, c.textList);
  const stopped = lookedUp(
    c,
    c.apply1(TextPlaces, [compared]),
    keys,
    fromNumbers(
      'i32',
      [words.length],
      words.map(() => 1),
    ),
    0,
  );
  const kept = c.apply1(Equal, [stopped, c.literal('i32', 0)]);
  // Where nothing is left, one empty text is.
  const all = c.apply1(Reduce, [c.apply1(Cast, [kept], { to: 'i32' })], { of: 'sum', axes: [0] });
  const none = reshape(c, c.apply1(Equal, [all, c.literal('i32', 0)]), [1]);
  const count = c.symbol('kept', 1, Math.max(1, dimHi(dimProd(shape))));
  const more = c.apply1(Pad, [rows], { begin: [0, 0], end: [1, 0] });
  const left = cased(c.apply1(Compress, [more, concat(c, [kept, none], 0)], { axis: 0, count }));
  return [{ spelt: reshape(c, left, [...(shape.length === 2 ? [1] : []), count, widthOf(left)]) }];
};

/** The bytes that all pieces of all texts together may take. */
const MOST_BYTES = 2 ** 26;
interface Cutting {
  readonly patterns: readonly string[];
  readonly keep: 'between' | 'matches';
  readonly shortest: number;
  readonly most?: number;
  readonly marks?: boolean;
  readonly pad: string;
}
/** The pieces of each text and how many it has. */
function pieces(n: OnnxNode, c: ImportCtx, x: Value, o: Cutting): readonly Value[] {
  const all: number[] = [];
  const automata = o.patterns.map(p => {
    const at = all.length;
    for (const e of automaton(n, c, p)) all.push(e);
    return at;
  });
  const bytes = dimHi(widthOf(x));
  const room = Math.floor(MOST_BYTES / Math.max(1, dimHi(dimProd(sizesOf(x))) * bytes));
  const ends = o.marks ? 2 : 0;
  const most = Math.min((o.most ?? 0) > 0 ? (o.most ?? 0) : Infinity, bytes + 1) + ends;
  if (room < most)
    c.warn(
      'size',
      `texts are taken to have at most ${Math.max(1, room)} pieces; fewer texts at a time, or shorter ones, may have more`,
    );
  const count = c.symbol('pieces', 0, Math.max(1, Math.min(room, most)));
  const pad = asSpelt(textTensor([], [o.pad]));
  return c.apply(TextPieces, [x, c.literal('i32', all), c.constant(pad)], {
    automata,
    keep: o.keep,
    shortest: o.shortest,
    most: o.most ?? 0,
    marks: o.marks ?? false,
    count,
  });
}
/** What Python's `str.split` takes for white space. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}]+';
const stringSplit: TextBuilder = (n, c, texts) => {
  const delimiter = n.string('delimiter', '');
  const limit = n.int('maxsplit', -1);
  const [parts, counts] = pieces(n, c, textAt(n, texts, 0), {
    patterns: [delimiter === '' ? SPACE : literal(delimiter)],
    keep: 'between',
    shortest: delimiter === '' ? 1 : 0,
    most: limit < 0 ? 0 : limit + 1,
    pad: '',
  });
  return [{ spelt: must(parts) }, must(counts)];
};

const tokenizer: TextBuilder = (n, c, texts) => {
  const separators = n.strings('separators', []);
  const expression = n.string('tokenexp', '');
  if (separators.length > 0 === (expression !== '')) n.reject('either separators or tokenexp must be given');
  const shortest = n.int('mincharnum');
  if (shortest < 1) n.reject(`mincharnum is ${shortest}`);
  const x = textAt(n, texts, 0);
  if (sizesOf(x).length > 2) n.reject(`x has ${sizesOf(x).length} axes, must have one or two`);
  const single = expression === '.' || (separators.length === 1 && separators[0] === '');
  if (single && shortest > 1) n.reject(`tokens are single characters, and mincharnum is ${shortest}`);
  const o = { shortest, marks: n.bool('mark'), pad: n.string('pad_value') };
  const [tokens] =
    expression !== '' || single
      ? pieces(n, c, x, { ...o, patterns: [single ? '(?s).' : expression], keep: 'matches' })
      : pieces(n, c, x, { ...o, patterns: separators, keep: 'between' });
  return [{ spelt: must(tokens) }];
};

export const textOps: ReadonlyMap<string, TextBuilder> = new Map([
  ['RegexFullMatch', regexFullMatch],
  ['StringConcat', stringConcat],
  ['StringNormalizer', stringNormalizer],
  ['StringSplit', stringSplit],
  ['com.microsoft.Tokenizer', tokenizer],
]);
