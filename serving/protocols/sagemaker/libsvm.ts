import { ServeError } from '../../core/errors.ts';
import { pythonNumber } from './csv.ts';
import { floats, unreadable, type Rows, type RowsWanted } from './rows.ts';

/**
 * Rows of text/libsvm: `label index:value ..`. What has no colon is skipped; indices count from 0, or from 1 where the least of the body
 * is 1 or more; features that a row does not name are missing. 415 for what cannot be read, 400 for an index beyond the model's features.
 */
export function parseLibsvm(bytes: Uint8Array, want: RowsWanted): Rows {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    return unreadable('libsvm', 'it is not UTF-8');
  }
  if (text === '') return unreadable('libsvm', 'there are no rows');
  const lines = text.split('\n');
  const found: { readonly row: number; readonly index: number; readonly value: number }[] = [];
  let least = Infinity;
  let rows = 0;
  lines.forEach((line, row) => {
    for (const item of line.split(' ')) {
      const colon = item.indexOf(':');
      if (colon < 0) continue;
      const [key = '', text = ''] = item.split(':');
      const value = pythonNumber(text);
      if (!/^\s*\+?\d{1,9}\s*$/.test(key) || value === undefined)
        unreadable('libsvm', `row ${row + 1}: '${item.slice(0, 40)}' is not index:value`);
      else {
        const index = Number(key);
        if (index < least) least = index;
        found.push({ row, index, value });
        // The matrix ends with the last row that names a feature.
        rows = row + 1;
      }
    }
  });
  if (rows === 0) return unreadable('libsvm', 'no row names a feature');
  const shift = least >= 1 ? 1 : 0;
  const data = floats(want.type, rows * want.columns).fill(NaN);
  for (const { row, index, value } of found) {
    const column = index - shift;
    if (column >= want.columns)
      throw new ServeError(
        400,
        `Unable to evaluate payload provided: row ${row + 1}: Feature size of libsvm inference data ${column + 1} is larger than feature size of trained model ${want.columns}.`,
      );
    data[row * want.columns + column] = value;
  }
  return { data, rows, columns: want.columns };
}
