import { textOf } from './cursor.ts';
/**
 * What pickles of models name besides their own classes: containers, NumPy's arrays and generators of random numbers, metrics, label
 * encoders. They are read as records of what would be made; nothing is.
 */
const COMMON: readonly RegExp[] = [
  /^builtins\.(?:bytearray|bytes|set|frozenset|list|tuple|dict|object|int|float|bool|str|complex|slice)$/,
  /^(?:copyreg\._reconstructor|_codecs\.encode|collections\.(?:OrderedDict|defaultdict))$/,
  /^numpy\.(?:ndarray|dtype|core\.multiarray\.(?:_reconstruct|scalar)|core\.numeric\._frombuffer|(?:bool_?|u?int\d+|float\d+|str_|nan))$/,
  /^numpy\.random\.(?:_pickle\.__(?:randomstate|generator|bit_generator)_ctor|_(?:mt19937\.MT19937|pcg64\.PCG64(?:DXSM)?|philox\.Philox|sfc64\.SFC64))$/,
  /^numpy\.random\.bit_generator\.(?:SeedSequence|__pyx_unpickle_SeedSequence)$/,
  /^sklearn\.preprocessing\.(?:_?label)\.LabelEncoder$/,
  /^sklearn\.metrics\._(?:regression|classification|ranking)\.\w+$/,
  /^joblib\.numpy_pickle\.NumpyArrayWrapper$/,
  /^scipy\.(?:sparse|special)\.\w+$/,
];
/** Whether a pickle may name it: one of the common names, or of those given. Everything else is refused, whatever it is. */
export const allows =
  (own: readonly RegExp[]) =>
  (name: string): boolean =>
    own.some(r => r.test(name)) || COMMON.some(r => r.test(name));
/** Protocol 2 to 5 by its first byte; 0 and 1 by how an object of a module that models (and attacks) use begins. */
export function isPickle(b: Uint8Array): boolean {
  if (b[0] === 0x80 && (b[1] ?? 0) >= 2 && (b[1] ?? 99) <= 5) return true;
  const modules = 'copy_reg|copyreg|xgboost|lightgbm|__builtin__|builtins|posix|nt|os|subprocess';
  return new RegExp(`^\\(?c(?:${modules})[\\w.]*\\n`).test(textOf(b.subarray(0, 64)));
}
