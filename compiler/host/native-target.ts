import { spawnSync } from 'node:child_process';
import { fail } from '../core/diagnostic.ts';

/** The name of the target that is whatever this machine is. */
export const NATIVE = 'native';

/**
 * The profile of the machine at hand, as the contents of a profile of one's own: what the C compiler (CC, or cc) says that it has with
 * `-march=native`. E401 where there is no compiler, or none that can say.
 */
export function nativeTarget(cc = process.env['CC'] ?? 'cc'): object {
  const asked = [['-march=native'], ['-mcpu=native'], []].map(flags => ({ flags, macros: macrosOf(cc, flags) }));
  // GCC for ARM takes -march=native for the instructions, not for the pipeline; for RISC-V it takes neither.
  const said = asked.find(a => a.macros !== undefined);
  if (!said?.macros) return fail('E401', { target: NATIVE, why: `needs a C compiler that can be asked, and '${cc}' is none` });
  const { flags, macros } = said;
  const own = ownPart((...names) => names.every(n => macros.has(n)));
  const standard = own.vectors ? '-std=c11' : '-std=c99';
  return {
    name: NATIVE,
    doc: `C for this machine, as ${cc} knows it: ${own.base}${own.vector ? ` with ${own.vector.intDot} dot products` : ''}.`,
    extends: own.base,
    ...(own.vector && { vector: own.vector }),
    toolchain: { cc, flags: [standard, ...flags, ...(own.more ?? [])] },
  };
}
interface Own {
  readonly base: string;
  readonly vectors: boolean;
  readonly vector?: { readonly intDot: string };
  readonly more?: readonly string[];
}
/** The target that comes nearest to what the macros of a compiler say, and what is different. */
function ownPart(has: (...names: string[]) => boolean): Own {
  const vectors = true;
  if (has('__x86_64__')) {
    const more = ['-mprefer-vector-width=512'];
    if (has('__AVX512F__', '__AVX512BW__', '__AVX512DQ__', '__AVX512VL__'))
      return { base: 'linux-x64-v4', vectors, more, ...(!has('__AVX512VNNI__') && { vector: { intDot: 'i16' } }) };
    if (has('__AVX2__', '__FMA__'))
      return { base: 'linux-x64-v3', vectors, ...(has('__AVXVNNI__') && { vector: { intDot: 'i8u8' } }) };
    if (has('__SSE4_2__')) return { base: 'linux-x64-v2', vectors };
  }
  if (has('__aarch64__')) {
    const base = has('__APPLE__') ? 'macos-arm64' : has('__ARM_FEATURE_DOTPROD') ? 'linux-arm64-dotprod' : 'linux-arm64';
    return { base, vectors };
  }
  if (has('__ARM_NEON')) return { base: 'linux-armv7', vectors };
  return { base: has('__riscv') ? 'linux-riscv64' : 'c-portable', vectors: false };
}
/** The macros that a compiler has of its own with some flags; undefined where it refuses them. */
function macrosOf(cc: string, flags: readonly string[]): ReadonlySet<string> | undefined {
  const r = spawnSync(cc, [...flags, '-dM', '-E', '-x', 'c', '-'], { input: '', encoding: 'utf8', maxBuffer: 2 ** 24 });
  if (r.error || r.status !== 0) return undefined;
  return new Set([...r.stdout.matchAll(/^#define (\w+)/gm)].map(m => m[1] ?? ''));
}
