import { InternalError, must } from '../../core/diagnostic.ts';
import { bytesOf, type DType } from '../../core/dtype.ts';
import { foldDim, type Dim } from '../../core/dim.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { Profile } from '../../target/profile.ts';
import type { Arg, MemoryPlan, Program, Slot, Step } from '../../program/program.ts';
import type { Instrumentation } from '../../program/instrumentation.ts';
import { loadBinaryen, type Binaryen, type ExpressionRef } from './binaryen.ts';
import { newModule, type WasmFunction, type WasmModule } from './module.ts';
import { closed, mostArguments, poolBytes, type Pool } from './pool.ts';

const PAGE = 65536;
/** The state of the pool begins a line of the cache. */
const POOL_ALIGN = 128;
/** Calls in one function of `run`: V8 compiles short functions soonest and best. */
const CHUNK = 50;

interface WasmResult {
  readonly bytes: Uint8Array;
  /** The functions in the order of the module's code. */
  readonly functions: readonly WasmFunction[];
  /** Pages of the memory that is imported. */
  readonly pages: number | undefined;
  /** The text form, made at request. */
  readonly text: () => string;
}

/**
 * A program, whose kernels are as `runKernelPasses` leaves them, as a WebAssembly module, without imports where there is one thread. Exports:
 * - `memory`, as large as the plan says and never larger;
 * - `run(sizes…)`: one i32 for each symbol that comes from the inputs, in the order of `program.symbols`;
 * - `prepare()`, to be called once when the weights are there; only where something is to be prepared;
 * - `symbol(i)`: the value of `program.symbols[i]` now; only where there are run-time symbols;
 * - `trap()`: after a trap of `run`, 1 + the index of the reason in `program.traps`, or 0; only where there are such reasons.
 * Where the profile has threads, memory is shared and imported as `sinter.memory`; `pool.ts` says what else there is then.
 * The caller puts the inputs at their offsets, and the first `outside` bytes of the weights at `plan.base`; the others are inside. Only with
 * `instrumentation`, for measurements, there is an import: `sinter.tick(i)` is called after step i.
 */
export async function emitWasm(
  program: Program,
  plan: MemoryPlan,
  profile: Profile,
  opts: { readonly outside: number; readonly instrumentation?: Instrumentation },
): Promise<WasmResult> {
  const b = await loadBinaryen();
  const end = Math.ceil((plan.base + plan.weightsBytes + plan.arenaBytes) / POOL_ALIGN) * POOL_ALIGN;
  const { threads } = profile;
  const pool = threads > 1 ? { at: end, threads, threadBytes: plan.threadBytes } : undefined;
  const mod = newModule(b, profile, pool);
  const { m } = mod.asm;
  const pages = pagesOf(pool ? end + poolBytes(threads, mostArguments(program.kernels)) : end);
  if (pages > PAGE) throw new InternalError(`a memory of ${pages} pages`);
  const data = segments(program, plan, opts.outside);
  if (pool) {
    // Workers are instances of the same module: weights are put into the memory that all share once, by `init`.
    m.setMemory(
      pages,
      pages,
      'memory',
      data.map(s => ({ data: s.data, offset: 0, passive: true })),
      true,
    );
    m.addMemoryImport('0', 'sinter', 'memory', true);
    m.addFunctionImport('wake', 'sinter', 'wake', b.none, b.none);
    addInit(mod, pool, data);
  } else
    m.setMemory(
      pages,
      pages,
      'memory',
      data.map(s => ({ data: s.data, offset: m.i32.const(s.at | 0) })),
    );
  if (opts.instrumentation) m.addFunctionImport('tick', 'sinter', 'tick', b.i32, b.none);
  addRun(mod, program, plan, opts.instrumentation);
  return result(b, mod, pool && pages);
}
/**
 * Kernels alone, as they are, each exported by its name as a function of i32 (addresses and sizes), beside a `memory` of the given pages. For tests
 * and measurements.
 */
export async function emitKernels(kernels: readonly Kernel[], profile: Profile, pages: number): Promise<WasmResult> {
  const b = await loadBinaryen();
  const mod = newModule(b, profile, undefined);
  mod.asm.m.setMemory(pages, pages, 'memory', []);
  for (const k of kernels) mod.asm.m.addFunctionExport(mod.kernel(k), k.name);
  return result(b, mod);
}
const pagesOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / PAGE));
/** `init()` puts embedded weights into memory, and the pool at rest. */
function addInit(mod: WasmModule, pool: Pool, data: readonly { readonly at: number; readonly data: Uint8Array }[]): void {
  const { m, b } = mod.asm;
  const copies = data.map((s, i) => m.memory.init(String(i), m.i32.const(s.at | 0), m.i32.const(0), m.i32.const(s.data.length)));
  m.addFunction('init', b.none, b.none, [], m.block(null, [...copies, closed(mod.asm, pool)]));
  m.addFunctionExport('init', 'init');
}
function result(b: Binaryen, mod: WasmModule, pages?: number): WasmResult {
  const { bytes, functions } = mod.finish();
  return {
    bytes,
    functions,
    pages,
    text: () => {
      const m = b.readBinary(bytes);
      try {
        return m.emitText();
      } finally {
        m.dispose();
      }
    },
  };
}

/** The contents of the weights beyond the first `outside` bytes, without long runs of zeros. */
function segments(program: Program, plan: MemoryPlan, outside: number): { at: number; data: Uint8Array }[] {
  const out: { at: number; data: Uint8Array }[] = [];
  for (const s of program.slots) {
    // Constants that nothing uses have no place.
    const at = s.where === 'weights' ? plan.offsets.get(s) : undefined;
    if (at === undefined || at < plan.base + outside) continue;
    const bytes = must(s.bytes, `contents of ${s.name}`);
    for (const [from, to] of nonZero(bytes)) out.push({ at: at + from, data: bytes.subarray(from, to) });
  }
  return out;
}
/** Ranges that hold all non-zero bytes; zeros between two of them are at least 64. */
function nonZero(bytes: Uint8Array): [number, number][] {
  const out: [number, number][] = [];
  let from = -1;
  let last = -1;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0) continue;
    if (from >= 0 && i - last > 64) {
      out.push([from, last + 1]);
      from = -1;
    }
    if (from < 0) from = i;
    last = i;
  }
  if (from >= 0) out.push([from, last + 1]);
  return out;
}
const slotOffset = (plan: MemoryPlan, s: Slot): number => must(plan.offsets.get(s), `offset of slot ${s.name}`);

/** `run` and what it calls. Symbols are globals, so that a long run may be many functions. */
function addRun(mod: WasmModule, program: Program, plan: MemoryPlan, instrumentation: Instrumentation | undefined): void {
  const { m, b } = mod.asm;
  for (const s of program.symbols) m.addGlobal(`s.${s.name}`, b.i32, true, m.i32.const(0));
  const ranges = new Map(program.symbols.map(s => [s.name, s]));
  let functions = 0;
  const dim = (d: Dim): ExpressionRef => emitDim(mod, d);
  const at = (slot: Slot, offset: Dim, dtype: DType): ExpressionRef => {
    const base = slotOffset(plan, slot);
    const size = bytesOf(dtype);
    if (typeof offset === 'number') return m.i32.const((base + offset * size) | 0);
    return m.i32.add(m.i32.mul(dim(offset), m.i32.const(size)), m.i32.const(base | 0));
  };
  const arg = (a: Arg, k: Kernel, i: number): ExpressionRef => {
    if (a.k === 'int') return dim(a.dim);
    const p = k.params[i];
    return at(a.slot, a.offset, p?.k === 'buf' ? p.dtype : a.slot.dtype);
  };
  const load = (c: { readonly slot: Slot; readonly offset: Dim }): ExpressionRef => {
    const ptr = at(c.slot, c.offset, c.slot.dtype);
    switch (bytesOf(c.slot.dtype)) {
      case 1:
        return m.i32.load8_u(0, 1, ptr);
      case 2:
        return m.i32.load16_u(0, 2, ptr);
      case 4:
        return m.i32.load(0, 4, ptr);
      default:
        return m.i32.wrap(m.i64.load(0, 8, ptr));
    }
  };
  const trapIf = (c: ExpressionRef, why: number): ExpressionRef =>
    m.if(c, m.block(null, [m.global.set('trap', m.i32.const(why + 1)), m.unreachable()]));
  const step = (s: Step): ExpressionRef => {
    switch (s.k) {
      case 'call':
        return m.call(
          mod.kernel(s.kernel),
          s.args.map((a, i) => arg(a, s.kernel, i)),
          b.none,
        );
      case 'read': {
        // Memory is planned for the symbol's range: a value outside of it must not get further.
        const name = `s.${s.symbol}`;
        const { lo, hi } = must(ranges.get(s.symbol), `symbol ${s.symbol}`);
        const above = m.i32.sub(m.global.get(name, b.i32), m.i32.const(lo));
        const bad = m.i32.gt_u(above, m.i32.const((hi - lo) | 0));
        return m.block(null, [m.global.set(name, load(s)), trapIf(bad, s.trap)], b.none);
      }
      case 'check':
        return trapIf(m.i32.ne(dim(s.a), dim(s.b)), s.trap);
      case 'stop':
        return trapIf(load(s), s.trap);
      case 'branch':
        return m.if(m.i32.ne(load(s.cond), m.i32.const(0)), body(s.then), s.else.length > 0 ? body(s.else) : undefined);
      case 'loop': {
        const name = `s.${s.symbol}`;
        const label = `loop${functions++}`;
        const out = `${label}.out`;
        const count = (): ExpressionRef => m.global.get(name, b.i32);
        const tests = [
          ...(s.trip === undefined ? [] : [m.br(out, m.i32.ge_s(count(), dim(s.trip)))]),
          ...(s.cond ? [m.br(out, m.i32.eqz(load(s.cond)))] : []),
        ];
        const next = m.global.set(name, m.i32.add(count(), m.i32.const(1)));
        const loop = m.loop(label, m.block(null, [...tests, body(s.body), next, m.br(label)]));
        return m.block(out, [m.global.set(name, m.i32.const(0)), loop], b.none);
      }
    }
  };
  const ticked = (s: Step): ExpressionRef => {
    const i = instrumentation?.get(s);
    return i === undefined ? step(s) : m.block(null, [step(s), m.call('tick', [m.i32.const(i)], b.none)], b.none);
  };
  /** Steps in place while they are few, else as calls of functions of a chunk each. */
  const body = (steps: readonly Step[]): ExpressionRef => {
    if (steps.length <= CHUNK) return m.block(null, steps.map(ticked), b.none);
    const calls: ExpressionRef[] = [];
    for (let i = 0; i < steps.length; i += CHUNK) {
      const name = `steps${functions++}`;
      m.addFunction(name, b.none, b.none, [], m.block(null, steps.slice(i, i + CHUNK).map(ticked), b.none));
      calls.push(m.call(name, [], b.none));
    }
    return m.block(null, calls, b.none);
  };
  if (program.prepare.length > 0) {
    m.addFunction('prepare', b.none, b.none, [], body(program.prepare));
    m.addFunctionExport('prepare', 'prepare');
  }
  const given = program.symbols.filter(s => s.from === 'input');
  const sets = given.map((s, i) => m.global.set(`s.${s.name}`, m.local.get(i, b.i32)));
  if (program.traps.length > 0) {
    m.addGlobal('trap', b.i32, true, m.i32.const(0));
    sets.push(m.global.set('trap', m.i32.const(0)));
    m.addFunction('trap', b.none, b.i32, [], m.global.get('trap', b.i32));
    m.addFunctionExport('trap', 'trap');
  }
  m.addFunction('run', b.createType(given.map(() => b.i32)), b.none, [], m.block(null, [...sets, body(program.steps)], b.none));
  m.addFunctionExport('run', 'run');
  if (program.symbols.some(s => s.from === 'run')) {
    const value = program.symbols.reduceRight<ExpressionRef>(
      (other, s, i) => m.if(m.i32.eq(m.local.get(0, b.i32), m.i32.const(i)), m.global.get(`s.${s.name}`, b.i32), other),
      m.i32.const(0),
    );
    m.addFunction('symbol', b.i32, b.i32, [], value);
    m.addFunctionExport('symbol', 'symbol');
  }
}
/** A size as i32 arithmetic over the globals of the symbols. */
function emitDim(mod: WasmModule, d: Dim): ExpressionRef {
  const { m, b } = mod.asm;
  return foldDim<ExpressionRef>(d, {
    num: n => m.i32.const(n | 0),
    sym: name => m.global.get(`s.${name}`, b.i32),
    bin: (op, x, y) => {
      switch (op) {
        case 'add':
          return m.i32.add(x, y);
        case 'mul':
          return m.i32.mul(x, y);
        case 'floordiv':
        case 'min':
        case 'max':
          return m.call(mod.helper(op), [x, y], b.i32);
      }
    },
  });
}
