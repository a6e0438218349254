import { must } from '../../core/diagnostic.ts';
import type { Port, Program } from '../../program/program.ts';

/** The names of a program in C: each once. */
export interface Names {
  /** Before every name that others see. */
  readonly prefix: string;
  readonly inputs: ReadonlyMap<Port, string>;
  readonly outputs: ReadonlyMap<Port, string>;
  readonly symbols: ReadonlyMap<string, string>;
}
const words = (text: string): readonly string[] => text.split(' ');
/**
 * What a member of a struct in model.h and a keyword argument in model.py cannot be called: words of C, C++ and Python, and macros in small
 * letters that compilers and the headers of C, POSIX and Windows define.
 */
const TAKEN = new Set([
  ...words('auto break case char const continue default do double else enum extern float for goto if inline int long register'),
  ...words('restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main asm typeof'),
  ...words(
    'alignas alignof and and_eq bitand bitor bool catch char8_t char16_t char32_t class co_await co_return co_yield compl',
  ),
  ...words('concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export false friend mutable'),
  ...words('namespace new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast requires'),
  ...words('static_assert static_cast template this thread_local throw true try typeid typename typeof_unqual using virtual'),
  ...words('wchar_t xor xor_eq'),
  ...words(
    'False None True as assert async await def del elif except finally from global import in is lambda nonlocal pass raise',
  ),
  ...words('with yield'),
  ...words('complex environ errno far hyper i386 imaginary interface linux mips near noreturn signgam small sparc stderr stdin'),
  ...words('stdout sun tzname unix math_errhandling fd_set quad physadr strtodf L_tmpnam L_ctermid P_tmpdir I ID IN OUT'),
  ...words('matherr onexit_t pclose popen strcasecmp strncasecmp sys_errlist sys_nerr wcswcs wpopen L_tmpnam_s'),
]);
/** Capitals alone are how macros are written, in the headers of C, of systems and of boards, and in ours. */
const isMacro = (word: string): boolean => /^[A-Z][A-Z0-9_]{2,}$/.test(word);
/** Enough of a name to know it by, and short enough for the name of a file. */
const LONGEST = 100;
/** Letters, digits and underscores of a name, of which none leads: such names are the implementation's. May be empty. */
const lettersOf = (name: string): string => name.replace(/\W+/g, '_').replace(/^_+/, '').slice(0, LONGEST);
/** An identifier like a name, which means nothing to C, C++ or Python. */
function word(name: string): string {
  const letters = lettersOf(name);
  if (letters === '') return 'x';
  if (/^\d/.test(letters)) return `_${letters}`;
  return TAKEN.has(letters) || isMacro(letters) ? `${letters}_` : letters;
}
/**
 * Identifiers like the names given, each once and none of `taken`. `same`: names that are equal under it count as equal.
 */
function uniqueNames(names: readonly string[], taken: readonly string[], same = (s: string): string => s): string[] {
  const used = new Set(taken);
  const next = new Map<string, number>();
  return names.map(name => {
    const base = word(name);
    let [unique, i] = [base, next.get(base) ?? 2];
    while (used.has(same(unique))) unique = `${base}_${i++}`;
    next.set(base, i);
    used.add(same(unique));
    return unique;
  });
}
/** The names of outputs, which main.c gives to its files too: no two of them differ in the size of letters only. */
export const outputNames = (names: readonly string[]): string[] => uniqueNames(names, ['sizes'], s => s.toLowerCase());

/** Names that begin so are our own, or those of devices on Windows, where no folder may be called like one. */
const PREFIX_TAKEN = /^(?:sinter(?:_.*)?|enter|leave|con|prn|aux|nul|com\d|lpt\d)$/i;
/** What stands before all names that are seen outside: a letter first, since what begins with an underscore is the implementation's. */
function prefixOf(name: string): string {
  const letters = lettersOf(name);
  if (letters === '') return 'model';
  return /^\d/.test(letters) ? `model_${letters}` : PREFIX_TAKEN.test(letters) ? `${letters}_model` : letters;
}
export function namesOf(p: Program): Names {
  const pair = <K>(items: readonly K[], unique: readonly string[]): Map<K, string> =>
    new Map(items.map((x, i) => [x, must(unique[i])]));
  const symbols = p.symbols.map(x => x.name);
  return {
    prefix: prefixOf(p.name),
    inputs: pair(
      p.inputs,
      uniqueNames(
        p.inputs.map(x => x.name),
        ['dims'],
      ),
    ),
    outputs: pair(p.outputs, outputNames(p.outputs.map(x => x.name))),
    symbols: pair(symbols, uniqueNames(symbols, [])),
  };
}
