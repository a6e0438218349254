import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { messageOf } from '../core/errors.ts';
import { checkKey } from '../core/signature.ts';
import type { Trust } from '../core/trust.ts';

export const TRUST_HELP =
  'load only bundles that `sinter sign` signed by this key, native code too; the file of a public key, may be given again';
/** A flag that may be given again. */
export const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
export const NATIVE_HELP = 'load bundles of native code, which may do whatever this user may, from anybody';
/** What `--trust` and `--allow-native` say. Errors: both, a file that is no public key of Ed25519. */
export function trustOf({
  trust = [],
  allowNative,
}: {
  readonly trust?: readonly string[] | undefined;
  readonly allowNative?: true | undefined;
}): Trust {
  if (allowNative === true) {
    if (trust.length > 0) throw new Error('--trust loads native code that is signed, --allow-native any: choose one');
    return { k: 'all' };
  }
  if (trust.length === 0) return { k: 'webassembly' };
  const keys = trust.map(file => {
    try {
      const pem = readFileSync(file, 'utf8');
      checkKey(pem);
      return pem;
    } catch (e) {
      throw new Error(`--trust ${file}: ${messageOf(e)}`, { cause: e });
    }
  });
  return { k: 'signed', keys };
}

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
