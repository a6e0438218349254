import { pythonFloat, pythonJsonFloat } from '../../core/python.ts';

/** What a table of rows was answered: `width` numbers a row, or one where it is undefined. */
export interface Predictions {
  readonly data: ArrayLike<number>;
  readonly rows: number;
  readonly width: number | undefined;
}
type Print = (v: number) => string;
/** A row as Python prints it: a number, or a list of them. */
function printRow(p: Predictions, row: number, print: Print): string {
  if (p.width === undefined) return print(p.data[row] ?? NaN);
  const values: string[] = [];
  for (let i = 0; i < p.width; i++) values.push(print(p.data[row * p.width + i] ?? NaN));
  return `[${values.join(', ')}]`;
}
function joined(p: Predictions, print: Print, between: string): string {
  let text = '';
  for (let r = 0; r < p.rows; r++) text += (r === 0 ? '' : between) + printRow(p, r, print);
  return text;
}
/** `a,b`: what the container of XGBoost calls CSV up to 1.2-1, and behind many models. */
export const oneLine = (p: Predictions): string => joined(p, pythonFloat, ',');
/** A row a line, with its numbers as columns. */
export function lines(p: Predictions): string {
  const { width = 1 } = p;
  let text = '';
  for (let r = 0; r < p.rows; r++) {
    for (let i = 0; i < width; i++) text += (i === 0 ? '' : ',') + pythonFloat(p.data[r * width + i] ?? NaN);
    text += '\n';
  }
  return text;
}
/** Of a batch job: a row a line, as Python prints it. */
export const batchLines = (p: Predictions): string => `${joined(p, pythonFloat, '\n')}\n`;
export function jsonScores(p: Predictions): string {
  let text = '{"predictions": [';
  for (let r = 0; r < p.rows; r++) text += `${r === 0 ? '' : ', '}{"score": ${printRow(p, r, pythonJsonFloat)}}`;
  return `${text}]}`;
}
export const jsonList = (p: Predictions): string => `[${joined(p, pythonJsonFloat, ', ')}]`;
