import { InternalError } from '../../core/diagnostic.ts';
import type { Base, Kernel } from '../../kernel/ir.ts';
import type { Profile } from '../../target/profile.ts';
import { assembler, type Assembler, type Binaryen, type ExpressionRef } from './binaryen.ts';
import { parameterTypes } from './fn.ts';
import { addPool, addSlice, type Pool } from './pool.ts';
import { satBody } from './scalar.ts';
import { emitKernel } from './stmt.ts';

/** A module under construction with the functions that kernels need beside their own. */
export interface WasmModule {
  readonly asm: Assembler;
  /** The function of a kernel, added at the first request. */
  readonly kernel: (k: Kernel) => string;
  readonly helper: (name: string) => string;
  /** Validates, encodes and disposes of the module. */
  finish(): { readonly bytes: Uint8Array; readonly functions: readonly WasmFunction[] };
}
/** A function of a module; `kernel` where it is one. */
export interface WasmFunction {
  readonly name: string;
  readonly kernel: Kernel | undefined;
}

/** `pool`: what shares parallel calls among threads, where the profile has several. */
export function newModule(b: Binaryen, profile: Profile, pool: Pool | undefined): WasmModule {
  const asm = assembler(b);
  const { m } = asm;
  const { Features } = b;
  const simd = profile.vector.bits >= 128;
  const relaxed = profile.vector.fma !== 'none';
  const used = [
    Features.MutableGlobals,
    ...(simd ? [Features.SIMD128] : []),
    ...(simd && relaxed ? [Features.RelaxedSIMD] : []),
    ...(pool ? [Features.Atomics] : []),
    ...(profile.features.includes('bulk-memory') ? [Features.BulkMemory] : []),
    ...(profile.features.includes('sign-ext') ? [Features.SignExt] : []),
    ...(profile.features.includes('sat-float-to-int') ? [Features.NontrappingFPToInt] : []),
  ];
  m.setFeatures(used.reduce((a, f) => a | f));
  const helpers = new Set<string>();
  const kernels = new Map<Kernel, string>();
  const helper = (name: string): string => {
    if (!helpers.has(name)) {
      helpers.add(name);
      addHelper(asm, name);
    }
    return name;
  };
  const kernel = (k: Kernel): string => {
    const had = kernels.get(k);
    if (had !== undefined) return had;
    const name = `k${kernels.size}.${k.name}`;
    kernels.set(k, name);
    emitKernel(asm, profile, k, name, { helper, kernel, slice: pool && (s => slice(pool, s)), pool });
    return name;
  };
  const slices = new Map<Kernel, number>();
  const slice = (p: Pool, k: Kernel): number => {
    const had = slices.get(k);
    if (had !== undefined) return had;
    slices.set(k, slices.size);
    addSlice(asm, p, kernel(k), k.params, parameterTypes(asm, profile, k), sliceName(slices.size - 1));
    return slices.size - 1;
  };
  return {
    asm,
    helper,
    kernel,
    finish: () => {
      try {
        if (pool) {
          addPool(asm, pool);
          m.addTable('slices', slices.size, slices.size);
          const names = Array.from(slices, (_, i) => sliceName(i));
          m.addActiveElementSegment('slices', 'slices', names, m.i32.const(0));
        }
        if (!m.validate()) throw new InternalError('binaryen rejected the module');
        const byName = new Map([...kernels].map(([k, name]) => [name, k]));
        const functions = Array.from({ length: m.getNumFunctions() }, (_, i): WasmFunction => {
          const { name } = b.getFunctionInfo(m.getFunctionByIndex(i));
          return { name, kernel: byName.get(name) };
        });
        return { bytes: m.emitBinary(), functions };
      } finally {
        m.dispose();
      }
    },
  };
}

const sliceName = (i: number): string => `slice${i}`;

/** Functions that stand in for instructions a profile lacks, and floor division for sizes. */
function addHelper(asm: Assembler, name: string): void {
  const { m, b } = asm;
  const [what, from, to] = name.split(':');
  if (what === 'sat' && (from === 'f32' || from === 'f64') && to !== undefined) {
    const base = to as Base;
    const f = { asm };
    m.addFunction(
      name,
      b.createType([from === 'f32' ? b.f32 : b.f64]),
      base.endsWith('64') ? b.i64 : b.i32,
      [],
      satBody(f, from, base),
    );
    return;
  }
  const x = (): ExpressionRef => m.local.get(0, b.i32);
  const y = (): ExpressionRef => m.local.get(1, b.i32);
  const rem = (): ExpressionRef => m.local.get(2, b.i32);
  const pair = b.createType([b.i32, b.i32]);
  // The remainder has the sign of the dividend: it is on the wrong side where the signs of remainder and divisor differ.
  const wrongSide = (): ExpressionRef =>
    m.i32.and(m.i32.ne(rem(), m.i32.const(0)), m.i32.lt_s(m.i32.xor(rem(), y()), m.i32.const(0)));
  const setRem = (): ExpressionRef => m.local.set(2, m.i32.rem_s(x(), y()));
  if (name === 'floordiv') {
    const body = m.block(null, [setRem(), m.i32.sub(m.i32.div_s(x(), y()), wrongSide())], b.i32);
    m.addFunction(name, pair, b.i32, [b.i32], m.if(y(), body, m.i32.const(0)));
  } else if (name === 'min' || name === 'max') {
    const c = name === 'min' ? m.i32.lt_s(x(), y()) : m.i32.gt_s(x(), y());
    m.addFunction(name, pair, b.i32, [], m.select(c, x(), y()));
  } else throw new InternalError(`no helper ${name}`);
}
