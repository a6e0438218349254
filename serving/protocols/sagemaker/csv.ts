import { floats, unreadable, type Rows, type RowsWanted } from './rows.ts';

const NEWLINE = 10;
const PREFERRED = [',', '\t', ';', ' ', ':'].map(c => c.charCodeAt(0));
const isSpace = (c: number): boolean => c === 32 || (c >= 9 && c <= 13);
/** Powers of ten that a float64 holds exactly. */
const TENS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const cannot = (why: string): never => unreadable('csv', why);

/**
 * The delimiter that Python's csv.Sniffer finds in one line: one of those that it prefers, else the most frequent character; a comma where
 * that is a letter or a digit, as in a single column.
 */
function delimiterOf(bytes: Uint8Array, from: number, to: number): number {
  const seen = new Uint16Array(128);
  for (let i = from; i < to; i++) {
    const c = bytes[i] ?? 0;
    if (c < 127) seen[c] = (seen[c] ?? 0) + 1;
  }
  for (const c of PREFERRED) if ((seen[c] ?? 0) > 0) return c;
  let best = 0;
  for (let c = 0; c < 127; c++) if ((seen[c] ?? 0) > 0 && (seen[c] ?? 0) >= (seen[best] ?? 0)) best = c;
  return /[0-9A-Za-z\0]/.test(String.fromCharCode(best)) ? 44 : best;
}

/**
 * Rows of text/csv: no header, no quotes, an empty field is missing. The fields of the first line say how many columns there are. 415 with
 * row and column, counted from 1, of what is no number, and for rows of different lengths.
 */
export function parseCsv(bytes: Uint8Array, want: RowsWanted): Rows {
  let from = 0;
  let to = bytes.length;
  while (to > from && isSpace(bytes[to - 1] ?? 0)) to--;
  while (from < to && isSpace(bytes[from] ?? 0)) from++;
  if (from === to) return cannot('there are no rows');
  let end = bytes.indexOf(NEWLINE, from);
  if (end < 0 || end > to) end = to;
  const delimiter = delimiterOf(bytes, from, Math.min(end, from + 512));
  let columns = 1;
  for (let i = from; i < end; i++) if (bytes[i] === delimiter) columns++;
  let lines = 1;
  for (let i = end; i < to; i++) if (bytes[i] === NEWLINE) lines++;
  // Each value but the last of all has a byte behind it.
  if (lines * columns > to - from + 1) return raggedOf(bytes, from, to, delimiter, columns);
  const data = floats(want.type, lines * columns);
  let at = from;
  for (let row = 0; row < lines; row++)
    for (let column = 0; column < columns; column++) {
      const start = at;
      const value = quick(bytes, start, to, delimiter);
      if (value === value) at = quickEnd;
      else {
        while (at < to && bytes[at] !== delimiter && bytes[at] !== NEWLINE) at++;
      }
      const last = column === columns - 1;
      if (at < to ? (bytes[at] === NEWLINE) !== last : !last || row < lines - 1)
        return raggedOf(bytes, from, to, delimiter, columns);
      data[row * columns + column] = value === value ? value : slow(bytes, start, at, row, column);
      at++;
    }
  return { data, rows: lines, columns };
}

let quickEnd = 0;
/** A plain decimal of up to 15 digits, exactly; NaN for everything else. Where it ends is in quickEnd. */
function quick(bytes: Uint8Array, from: number, to: number, delimiter: number): number {
  let i = from;
  const negative = bytes[i] === 45;
  if (negative) i++;
  let value = 0;
  let digits = 0;
  let point = -1;
  for (; i < to; i++) {
    const c = bytes[i] ?? 0;
    if (c >= 48 && c <= 57) {
      value = value * 10 + (c - 48);
      digits++;
    } else if (c === delimiter || c === NEWLINE) break;
    else if (c === 46 && point < 0) point = i;
    else return NaN;
  }
  if (digits === 0 || digits > 15) return NaN;
  quickEnd = i;
  if (point >= 0) value /= TENS[i - point - 1] ?? NaN;
  return negative ? -value : value;
}
const WORDS: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, infinity: Infinity };
/** A field as Python's `float` reads it, and nothing for what is missing. */
function slow(bytes: Uint8Array, from: number, to: number, row: number, column: number): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
  if (text === '') return NaN;
  const value = pythonNumber(text);
  return value ?? cannot(`row ${row + 1}, column ${column + 1}: could not convert string to float: '${text.slice(0, 40)}'`);
}
/** What Python's `float` makes of a text; undefined where it refuses. */
export function pythonNumber(text: string): number | undefined {
  const t = text.trim();
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(t)) return Number(t);
  const [, sign, word = ''] = /^([+-]?)([a-z]+)$/i.exec(t) ?? [];
  const v = Object.hasOwn(WORDS, word.toLowerCase()) ? WORDS[word.toLowerCase()] : undefined;
  return v === undefined ? undefined : sign === '-' ? -v : v;
}
/** Says which row is of another length. */
function raggedOf(bytes: Uint8Array, from: number, to: number, delimiter: number, columns: number): never {
  let row = 1;
  let fields = 1;
  for (let i = from; i <= to; i++) {
    if (i === to || bytes[i] === NEWLINE) {
      if (fields !== columns)
        return cannot(`row ${row} has ${fields} ${fields === 1 ? 'column' : 'columns'}, row 1 has ${columns}`);
      row++;
      fields = 1;
    } else if (bytes[i] === delimiter) fields++;
  }
  return cannot('rows are of different lengths');
}
