import { InvalidArgumentError } from 'commander';

/** A flag's number from `lo` to `hi`, both included. */
export const numberIn = (lo: number, hi: number): ((text: string) => number) => parser(lo, hi, 'number', () => true);
/** A flag's whole number from `lo` to `hi`, both included, or from `lo` on. */
export const wholeIn = (lo: number, hi = Number.MAX_SAFE_INTEGER): ((text: string) => number) =>
  parser(lo, hi, 'whole number', Number.isInteger);

const parser = (lo: number, hi: number, what: string, is: (n: number) => boolean) => (text: string) => {
  const n = Number(text);
  if (text.trim() === '' || !(n >= lo && n <= hi) || !is(n))
    throw new InvalidArgumentError(`must be a ${what} from ${lo}${hi === Number.MAX_SAFE_INTEGER ? '' : ` to ${hi}`}.`);
  return n;
};
