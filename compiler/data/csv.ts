import { CsvError, parse } from 'csv-parse/sync';
import { fail } from '../core/diagnostic.ts';
import { fromNumbers, type Tensor } from '../core/tensor.ts';
import type { DType } from '../core/dtype.ts';
import { didYouMean } from '../core/suggest.ts';
import { asNumber } from '../import/shared/json.ts';

/** What columns a table must have. */
export interface Columns {
  readonly count: number;
  /** Their names; undefined: columns go by their order. */
  readonly names: readonly string[] | undefined;
}
/** A line of a table: where it starts in the file, and its cells. */
interface Line {
  readonly line: number;
  readonly cells: readonly string[];
}
/** Cells that say that a value is missing, in small letters. */
const MISSING = new Set(['', 'nan', 'na', 'n/a', 'null', 'none', '?']);
const WORDS: Readonly<Record<string, number>> = { true: 1, false: 0 };

/**
 * Rows [rows, columns] from CSV: separated by commas, semicolons or tabs, with quotes as RFC 4180 has them. A first line that is not all
 * numbers names the columns: they may be in any order, and more than are wanted (`note` is told); without such a line all columns are
 * there in their order. Empty cells (also NaN, NA, null, none) are NaN.
 * E205: no table, a cell that is no number, lines of unequal lengths. E501: columns that are missing.
 */
export function readCsv(
  bytes: Uint8Array,
  file: string,
  want: Columns & { readonly name: string; readonly dtype: DType },
  note: (text: string) => void,
): Tensor {
  const lines = linesOf(new TextDecoder().decode(bytes), file);
  const [first] = lines;
  if (!first) return fail('E205', { file, why: 'it has no lines' });
  const named = isHeader(first.cells, want.names);
  const picked = named ? pick(first, want, file, note) : inOrder(first, want, file);
  const rows = named ? lines.slice(1) : lines;
  if (rows.length === 0) fail('E205', { file, why: 'it has a line of names and no rows' });
  const data = new Float64Array(rows.length * want.count);
  rows.forEach(({ line, cells }, r) => {
    if (cells.length !== first.cells.length)
      fail('E205', { file, why: `line ${line} has ${cells.length} columns, the first line ${first.cells.length}` });
    picked.forEach((column, i) => {
      const text = (cells[column] ?? '').trim();
      const v = cellValue(text);
      if (v === undefined) {
        const name = named ? `'${(first.cells[column] ?? '').trim()}'` : String(column + 1);
        fail('E205', { file, why: `line ${line}, column ${name}: '${text.slice(0, 40)}' is not a number` });
      } else data[r * want.count + i] = v;
    });
  });
  return fromNumbers(want.dtype, [rows.length, want.count], data);
}
const cellValue = (text: string): number | undefined => {
  const low = text.toLowerCase();
  if (MISSING.has(low)) return NaN;
  return Object.hasOwn(WORDS, low) ? WORDS[low] : asNumber(text);
};
function linesOf(text: string, file: string): Line[] {
  const out: Line[] = [];
  try {
    parse(text, {
      bom: true,
      delimiter: delimiterOf(text),
      skip_empty_lines: true,
      trim: true,
      relax_column_count: true,
      on_record: (cells: string[], { lines }) => {
        out.push({ line: lines, cells });
        return null;
      },
    });
  } catch (e) {
    if (e instanceof CsvError || e instanceof Error) return fail('E205', { file, why: `it is no sound CSV: ${e.message}` });
    throw e;
  }
  return out;
}
/** The one of the separators that the first line has most of. */
function delimiterOf(text: string): string {
  const line = /^\uFEFF?(?:[^\r\n"]|"[^"]*")*/.exec(text)?.[0].replace(/"[^"]*"/g, '') ?? '';
  const count = (d: string): number => line.split(d).length;
  return [',', ';', '\t'].reduce((best, d) => (count(d) > count(best) ? d : best));
}
/** Whether a first line holds names: something that is neither a number nor missing, or the very names that are wanted. */
function isHeader(cells: readonly string[], names: readonly string[] | undefined): boolean {
  const own = cells.map(c => c.trim());
  return own.some(c => cellValue(c) === undefined) || (names !== undefined && names.every(n => own.includes(n)));
}
function inOrder(first: Line, want: Columns, file: string): number[] {
  const n = first.cells.length;
  if (n !== want.count)
    fail('E205', { file, why: `it has ${n} columns and no line of names, but the model has ${features(want)}` });
  return first.cells.map((_, i) => i);
}
/** The place of each wanted column in the file. */
function pick(
  first: Line,
  want: Columns & { readonly name: string },
  file: string,
  note: (text: string) => void,
): readonly number[] {
  const own = first.cells.map(c => c.trim());
  const twice = own.find((c, i) => c !== '' && own.indexOf(c) !== i);
  if (!want.names) {
    if (own.length !== want.count)
      fail('E205', { file, why: `it has ${own.length} columns, but the model has ${features(want)}` });
    note(`${file}: the model does not name its features; the columns are taken in their order`);
    return own.map((_, i) => i);
  }
  if (twice !== undefined) fail('E205', { file, why: `it has two columns '${twice}'` });
  const at = new Map(own.map((c, i) => [c, i]));
  const lacking = want.names.filter(n => !at.has(n));
  const extra = own.filter(c => !want.names?.includes(c));
  if (lacking.length > 0)
    fail('E501', {
      input: want.name,
      why: `${file} has no column ${few(lacking)} (cells may be empty where values are missing)${didYouMean(lacking[0] ?? '', extra)}`,
    });
  if (extra.length > 0) note(`${file}: not used, as the model has no such features: ${few(extra)}`);
  return want.names.map(n => at.get(n) ?? 0);
}
const few = (names: readonly string[]): string =>
  `${names
    .slice(0, 8)
    .map(n => `'${n}'`)
    .join(', ')}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`;
const features = (c: Columns): string =>
  `${c.count} ${c.count === 1 ? 'feature' : 'features'}${c.names ? ` (${few(c.names)})` : ''}`;
