import { must, showLoc } from '../../core/diagnostic.ts';
import { VERSION } from '../../core/version.data.ts';
import type { Dim } from '../../core/dim.ts';
import { commentBlock, quoteC } from '../../core/quote.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { Profile } from '../../target/profile.ts';
import type { Arg, MemoryPlan, Program, Slot, Step } from '../../program/program.ts';
import { callsOf } from '../../program/steps.ts';
import { computedSymbols } from '../../program/symbols.ts';
import { utf8 } from '../../core/bytes.ts';
import { ERRORS, hasTexts, headerText } from './header.ts';
import type { Instrumentation } from '../../program/instrumentation.ts';
import { newHelpers } from './helpers.ts';
import { kernelName, kernelText, pooledKernels } from './kernel.ts';
import { environmentText, usesTiles, type FloatEnvironment } from './float-environment.ts';
import { namesOf } from './names.ts';
import { SIZE_FUNCTIONS, sizeText } from './sizes.ts';
import { elementBytes, elementType } from './types.ts';

export interface CArtifact {
  /** model.c and model.h. */
  readonly source: string;
  readonly header: string;
  /** What stands before every name that the code gives to others. */
  readonly prefix: string;
  /** Bytes of scratch memory for a run. */
  readonly arena: number;
  /** Bytes of what is prepared of the weights before the first run; 0: nothing is. */
  readonly prepared: number;
}

/** What was compiled from what, in one line. */
export const headOf = (program: Program, target: string, file: string): string =>
  `${program.name}: compiled by Sinter ${VERSION} for ${target} from ${file}`;

/**
 * A program, whose kernels are as `runKernelPasses` leaves them, as C: a function for each kernel and `NAME_run`, which calls them. C99
 * where the profile has no vectors, else C11 with the vector extensions of GCC and Clang. `flushDenormals`: denormals are zero (FTZ/DAZ)
 * during a run. The weights are where `NAME_find_weights` says, and those that no other version of the model has where
 * `NAME_find_own_weights` does. What is prepared of them is the only state: see `preparingText`.
 */
export function emitC(
  program: Program,
  plan: MemoryPlan,
  profile: Profile,
  o: { readonly head: string; readonly flushDenormals: boolean; readonly instrumentation?: Instrumentation },
): CArtifact {
  const { head, flushDenormals, instrumentation } = o;
  const names = namesOf(program);
  const { prefix: n } = names;
  const helpers = newHelpers();
  const notes = notesOf(program.steps);
  const { threads } = profile;
  const pooled = pooledKernels(program.kernels);
  const kernels = program.kernels.map(k => kernelText(k, helpers, [...(notes.get(k) ?? [])], pooled));
  const { align } = profile.memory;
  const { prepare, run } = stepsText(program, plan, names, threads > 1 ? pooled : undefined, instrumentation);
  const prepared = plan.preparedBytes;
  const arena = plan.arenaBytes - prepared;
  const text = [...kernels, ...prepare, run].join('\n');
  const environment: FloatEnvironment = { flushDenormals, tiles: usesTiles(program.kernels) };
  const ownEnvironment = flushDenormals || environment.tiles;
  const sizes = Object.entries(SIZE_FUNCTIONS).filter(([name]) => text.includes(`${name}(`));
  const weights = weightsParts(plan);
  const call = `steps(${[...(threads > 1 ? ['pool'] : []), 'inputs', 'outputs', ...weights.map(x => x.name), ...(prepared > 0 ? ['p'] : [])].join(', ')}, (uint8_t *)arena)`;
  const traps = program.traps.map((why, i) => `    case ${ERRORS.length + i}: return ${quoteC(why)};`);
  const source = `/* ${commentBlock(head)} */
#include "model.h"
#include <math.h>
${prepared > 0 ? '#include <stdlib.h>\n' : ''}#include <string.h>
${instrumentation ? 'void sinter_tick(int step);\n' : ''}${PRELUDE}${ownEnvironment ? environmentText(environment) : ''}${text.includes('run_slices(') ? runSlices(threads, plan.threadBytes, environment) : ''}
${[helpers.text(), ...sizes.map(([, f]) => f)].filter(s => s !== '').join('\n')}

${weights.map(x => `const uint8_t *${n}_${x.find}(void);\n`).join('')}
${kernels.join('\n\n')}

${prepared > 0 ? `${prepare.join('\n')}\n\n${preparingText(n, weights, { prepared, arena, align })}\n` : ''}${run}

${
  threads > 1
    ? `int ${n}_run(const ${n}_inputs *inputs, const ${n}_outputs *outputs, void *arena, size_t arena_bytes) {
  return ${n}_run_on(NULL, inputs, outputs, arena, arena_bytes);
}
int ${n}_run_on(sinter_pool *pool, `
    : `int ${n}_run(`
}const ${n}_inputs *inputs, const ${n}_outputs *outputs, void *arena, size_t arena_bytes) {
${checks(program, names, arena, align)}
${weights.map(x => `  ${x.here(n)}\n  if (${x.name} == NULL) return ${n}_WEIGHTS;\n`).join('')}${prepared > 0 ? `  const uint8_t *p = PREPARED();\n  if (p == NULL && (p = first_prepared(${[...weights.map(x => x.name), '(uint8_t *)arena'].join(', ')})) == NULL) return ${n}_MEMORY;\n` : ''}${environment.tiles ? `  if (!may_use_tiles()) return ${n}_PROCESSOR;\n` : ''}${ownEnvironment ? `  const run_mode mode = enter_run();\n  const int code = ${call};\n  leave_run(mode);\n  return code;` : `  return ${call};`}
}

${hasTexts(program) ? textsSource(program.texts ?? [], n) : ''}const char *${n}_error(int code) {
  switch (code) {
${ERRORS.map(([code, why]) => `    case ${n}_${code}: return ${quoteC(why)};`).join('\n')}
${traps.length > 0 ? `${traps.join('\n')}\n` : ''}    default: return "no such code";
  }
}
`;
  return { source, header: headerText({ head, program, names, arena, prepared, align, threads }), prefix: n, arena, prepared };
}

/** The list of texts, and a binary search in it by their bytes. */
function textsSource(texts: readonly string[], n: string): string {
  const bytes = texts.map(t => utf8(t));
  // In C a text ends at its first zero byte: one that goes on after it is no text that could be asked for.
  const order = texts.flatMap((_, i) => (must(bytes[i]).includes(0) ? [] : [i]));
  order.sort((a, b) => compareBytes(must(bytes[a]), must(bytes[b])));
  return `const char *const ${n}_texts[] = {
${[...texts.map(quoteC), 'NULL'].map(t => `  ${t},`).join('\n')}
};
int32_t ${n}_text(const char *text) {
  static const int32_t order[] = {${[...order, -1].join(', ')}};
  int32_t low = 0, high = ${order.length};
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    const int difference = strcmp(${n}_texts[order[middle]], text);
    if (difference == 0) return order[middle];
    if (difference < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}

`;
}
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return must(a[i]) - must(b[i]);
  return a.length - b.length;
}
/** Where the calls of each kernel come from, in the model. */
function notesOf(steps: readonly Step[]): ReadonlyMap<Kernel, ReadonlySet<string>> {
  const out = new Map<Kernel, Set<string>>();
  for (const s of callsOf(steps)) {
    const note = showLoc(s.loc);
    const had = out.get(s.kernel) ?? new Set();
    out.set(s.kernel, note === '' ? had : had.add(note));
  }
  return out;
}

function checks(p: Program, names: ReturnType<typeof namesOf>, arena: number, align: number): string {
  const { prefix: n } = names;
  const lines: string[] = [];
  const fail = (test: string, code: string): void => void lines.push(`  if (${test}) return ${n}_${code};`);
  fail('inputs == NULL || outputs == NULL', 'NULL');
  for (const x of p.inputs) fail(`inputs->${must(names.inputs.get(x))} == NULL`, 'NULL');
  for (const x of p.outputs) fail(`outputs->${must(names.outputs.get(x))} == NULL`, 'NULL');
  for (const [ports, from, of] of [
    [p.inputs, 'inputs', names.inputs],
    [p.outputs, 'outputs', names.outputs],
  ] as const)
    for (const x of ports) {
      const bytes = elementBytes(x.type.dtype);
      if (bytes > 1) fail(`(uintptr_t)${from}->${must(of.get(x))} % ${bytes} != 0`, 'ALIGN');
    }
  if (arena > 0) {
    fail('arena == NULL', 'NULL');
    fail(`(uintptr_t)arena % ${align} != 0`, 'ALIGN');
    fail(`arena_bytes < ${n}_ARENA_BYTES`, 'ARENA');
  } else lines.push('  (void)arena_bytes;');
  const symbol = (s: string): string => `inputs->dims.${must(names.symbols.get(s))}`;
  for (const s of p.symbols) if (s.from === 'input') fail(`${symbol(s.name)} < ${s.lo} || ${symbol(s.name)} > ${s.hi}`, 'DIM');
  for (const g of p.guards) fail(`${sizeText(g.a, symbol)} != ${sizeText(g.b, symbol)}`, 'EQUAL');
  return lines.join('\n');
}

/** What the functions are called that give the weights, behind the prefix: those that versions of a model share, and those of one alone. */
export const FINDERS = ['find_weights', 'find_own_weights'] as const;
/** The parts that the weights of a module have: those that it shares with other versions of the model, and its own. */
interface WeightsPart {
  readonly name: 'w' | 'v';
  readonly find: (typeof FINDERS)[number];
  /** Declares the variable `name`. */
  here(prefix: string): string;
}
function weightsParts(plan: MemoryPlan): readonly WeightsPart[] {
  const part = (name: WeightsPart['name'], find: WeightsPart['find']): WeightsPart => ({
    name,
    find,
    here: n => `const uint8_t *const ${name} = ${n}_${find}();`,
  });
  return [
    ...(plan.commonBytes > 0 ? [part('w', 'find_weights')] : []),
    ...(plan.commonBytes < plan.weightsBytes ? [part('v', 'find_own_weights')] : []),
  ];
}

/** Memory of more bytes is asked for in large pages: to hand out a small one takes Linux longer than to fill it with what is prepared. */
const HUGE_FROM = 1 << 20;
const HUGE_PAGES = `#ifdef __linux__
/* MADV_HUGEPAGE, without the headers that have it, whose other names could be those of a model. Where it fails, it is as it was. */
int madvise(void *, size_t, int);
#define HUGE_PAGE (size_t)2097152
#define IN_HUGE_PAGES(p, bytes) (void)madvise(p, bytes, 14)
#else
#define HUGE_PAGE (size_t)4096
#define IN_HUGE_PAGES(p, bytes) ((void)0)
#endif
`;
/**
 * What is prepared of the weights: once, by `NAME_prepare` or in the first run. Threads whose first runs come at the same time each prepare it, one
 * of them publishes it, and the others give theirs back: so none waits, and there is no lock that could be held.
 */
function preparingText(
  n: string,
  weights: readonly WeightsPart[],
  { prepared, arena, align }: { readonly prepared: number; readonly arena: number; readonly align: number },
): string {
  const args = weights.map(x => x.name).join(', ');
  const large = prepared >= HUGE_FROM;
  const room = large ? 'HUGE_PAGE' : `${align}u`;
  // Whole pages, so that the last one is large as well.
  const bytes = large ? `(${prepared}u + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE` : `${prepared}u`;
  return `/* What is prepared, once it is. */
static uint8_t *volatile ready;
#if defined(__GNUC__)
#define PREPARED() __atomic_load_n(&ready, __ATOMIC_ACQUIRE)
#define PUBLISH(p) __sync_bool_compare_and_swap(&ready, NULL, p)
#elif defined(_MSC_VER)
#include <intrin.h>
#define PREPARED() ((uint8_t *)_InterlockedCompareExchangePointer((void *volatile *)&ready, NULL, NULL))
#define PUBLISH(p) (_InterlockedCompareExchangePointer((void *volatile *)&ready, p, NULL) == NULL)
#else
/* This compiler has no operation for it: with several threads, call ${n}_prepare before they begin. */
#define PREPARED() ready
#define PUBLISH(p) (ready == NULL ? (ready = (p), 1) : 0)
#endif
${large ? HUGE_PAGES : ''}static const uint8_t *first_prepared(${[...weights.map(x => `const uint8_t *${x.name}`), 'uint8_t *a'].join(', ')}) {
  void *const memory = malloc(${bytes} + ${room});
  if (memory == NULL) return NULL;
  uint8_t *const p = (uint8_t *)memory + (${room} - (uintptr_t)memory % ${room}) % ${room};
${large ? `  IN_HUGE_PAGES(p, ${bytes});\n` : ''}  prepare(${args}, p, a);
  if (!PUBLISH(p)) free(memory);
  return PREPARED();
}
int ${n}_prepare(void *memory, size_t memory_bytes, void *arena, size_t arena_bytes) {
  if (memory == NULL${arena > 0 ? ' || arena == NULL' : ''}) return ${n}_NULL;
  if ((uintptr_t)memory % ${align} != 0${arena > 0 ? ` || (uintptr_t)arena % ${align} != 0` : ''}) return ${n}_ALIGN;
  if (memory_bytes < ${n}_PREPARED_BYTES) return ${n}_MEMORY;
${arena > 0 ? `  if (arena_bytes < ${n}_ARENA_BYTES) return ${n}_ARENA;` : '  (void)arena_bytes;'}
${weights.map(x => `  ${x.here(n)}\n  if (${x.name} == NULL) return ${n}_WEIGHTS;`).join('\n')}
  if (PREPARED() != NULL) return ${n}_OK;
  prepare(${args}, (uint8_t *)memory, (uint8_t *)arena);
  (void)PUBLISH((uint8_t *)memory);
  return ${n}_OK;
}
`;
}

/** The steps of a program as one function, and those that prepare its weights. `pooled`: the kernels that take a pool; undefined where there is none. */
function stepsText(
  p: Program,
  plan: MemoryPlan,
  names: ReturnType<typeof namesOf>,
  pooled: ReadonlySet<Kernel> | undefined,
  instrumentation: Instrumentation | undefined,
): { readonly prepare: readonly string[]; readonly run: string } {
  const { prefix: n } = names;
  const symbols = new Map(p.symbols.map(s => [s.name, `s_${must(names.symbols.get(s.name))}`]));
  const size = (d: Dim): string => sizeText(d, name => must(symbols.get(name), name));
  const inputs = new Map(p.inputs.map(x => [x.slot, must(names.inputs.get(x))]));
  const outputs = new Map(p.outputs.map(x => [x.slot, must(names.outputs.get(x))]));
  let used = new Set<'w' | 'v' | 'p' | 'a' | 'in' | 'out'>();
  const pointer = (s: Slot, type: string, isConst: boolean, offset: Dim): string => {
    const q = isConst ? 'const ' : '';
    const own = elementType(s.dtype);
    const plus = offset === 0 ? '' : ` + ${size(offset)}`;
    const at = (base: 'w' | 'v' | 'p' | 'a', from: number): string => {
      used.add(base);
      // The offset counts elements of the parameter's type, as the kernel's accesses do.
      const bytes = from === 0 ? base : `(${base} + ${from})`;
      return `(${q}${type} *)${bytes}${plus}`;
    };
    const from = (): number => must(plan.offsets.get(s), s.name) - plan.base;
    switch (s.where) {
      case 'weights':
        return from() < plan.commonBytes ? at('w', from()) : at('v', from() - plan.commonBytes);
      case 'prepared':
      case 'arena': {
        const behind = from() - plan.weightsBytes;
        return behind < plan.preparedBytes ? at('p', behind) : at('a', behind - plan.preparedBytes);
      }
      case 'input':
        used.add('in');
        return `${own === type ? '' : `(const ${type} *)`}in->${must(inputs.get(s))}${plus}`;
      case 'output':
        used.add('out');
        return `${own === type ? '' : `(${q}${type} *)`}out->${must(outputs.get(s))}${plus}`;
    }
  };
  const arg = (a: Arg, k: Kernel, i: number): string => {
    if (a.k === 'int') return size(a.dim);
    const to = k.params[i];
    const dtype = to?.k === 'buf' ? to.dtype : a.slot.dtype;
    return pointer(a.slot, elementType(dtype), to?.k === 'buf' && to.access === 'read', a.offset);
  };
  const element = (x: { readonly slot: Slot; readonly offset: Dim }): string =>
    `(${pointer(x.slot, elementType(x.slot.dtype), true, 0)})[${size(x.offset)}]`;
  const poolOf = (k: Kernel): string => (pooled?.has(k) ? 'pool, ' : '');
  let lines: string[] = [];
  const walk = (steps: readonly Step[], pad: string): void => {
    for (const s of steps) {
      one(s, pad);
      const i = instrumentation?.get(s);
      if (i !== undefined) lines.push(`${pad}sinter_tick(${i});`);
    }
  };
  const one = (s: Step, pad: string): void => {
    const put = (text: string): void => void lines.push(pad + text);
    switch (s.k) {
      case 'call':
        put(`${kernelName(s.kernel)}(${poolOf(s.kernel)}${s.args.map((a, i) => arg(a, s.kernel, i)).join(', ')});`);
        break;
      case 'read': {
        const { lo, hi } = must(p.symbols.find(x => x.name === s.symbol));
        const name = must(symbols.get(s.symbol));
        put(`${name} = (int32_t)${element(s)};`);
        put(`if (${name} < ${lo} || ${name} > ${hi}) return ${ERRORS.length + s.trap};`);
        break;
      }
      case 'check':
        put(`if (${size(s.a)} != ${size(s.b)}) return ${ERRORS.length + s.trap};`);
        break;
      case 'stop':
        put(`if (${element(s)}) return ${ERRORS.length + s.trap};`);
        break;
      case 'branch':
        put(`if (${element(s.cond)}) {`);
        walk(s.then, `${pad}  `);
        if (s.else.length > 0) {
          put('} else {');
          walk(s.else, `${pad}  `);
        }
        put('}');
        break;
      case 'loop': {
        const name = must(symbols.get(s.symbol));
        const tests = [...(s.trip === undefined ? [] : [`${name} < ${size(s.trip)}`]), ...(s.cond ? [element(s.cond)] : [])];
        put(`for (${name} = 0; ${tests.join(' && ')}; ${name}++) {`);
        walk(s.body, `${pad}  `);
        put('}');
        break;
      }
    }
  };
  const weights = weightsParts(plan).map(x => x.name);
  const unused = (params: readonly ('w' | 'v' | 'p' | 'a' | 'in' | 'out')[]): readonly string[] =>
    params.filter(x => !used.has(x)).map(x => `  (void)${x};`);
  walk(p.prepare, '  ');
  const prepare = [
    `static void prepare(${[...weights.map(x => `const uint8_t *${x}`), 'uint8_t *p', 'uint8_t *a'].join(', ')}) {`,
    ...(pooled && lines.some(l => /\bpool\b/.test(l)) ? ['  sinter_pool *const pool = NULL;'] : []),
    ...unused([...weights, 'p', 'a']),
    ...lines,
    '}',
  ];
  lines = [];
  used = new Set();
  walk(p.steps, '  ');
  const body = lines.join('\n');
  const given = p.symbols.filter(s => s.from === 'input' && body.includes(must(symbols.get(s.name))));
  const declare = [
    ...unused([
      ...(given.length > 0 ? [] : (['in'] as const)),
      'out',
      ...weights,
      ...(plan.preparedBytes > 0 ? (['p'] as const) : []),
      'a',
    ]),
    ...given.map(s => `  const int32_t ${must(symbols.get(s.name))} = in->dims.${must(names.symbols.get(s.name))};`),
    ...p.symbols.filter(s => s.from === 'run').map(s => `  int32_t ${must(symbols.get(s.name))} = 0;`),
  ];
  const computed = computedSymbols(p);
  const results =
    computed.length === 0
      ? []
      : [
          '  if (out->sizes != NULL) {',
          ...computed.map(s => `    out->sizes->${must(names.symbols.get(s.name))} = ${must(symbols.get(s.name))};`),
          '  }',
        ];
  const poolParam = pooled ? 'sinter_pool *pool, ' : '';
  if (pooled && !/\bpool\b/.test(body)) declare.unshift('  (void)pool;');
  const params = [...weights, ...(plan.preparedBytes > 0 ? ['p'] : [])].map(x => `const uint8_t *${x}, `).join('');
  const run = [
    `static int steps(${poolParam}const ${n}_inputs *in, const ${n}_outputs *out, ${params}uint8_t *a) {`,
    ...declare,
    body,
    ...results,
    `  return ${n}_OK;`,
    '}',
  ].join('\n');
  return { prepare, run };
}

/** What parallel loops are run by. Each thread is set as the caller is. */
const runSlices = (threads: number, threadBytes: number, { flushDenormals, tiles }: FloatEnvironment): string => `
/* Each thread has its own scratch memory, one after the other at the end of the arena. */
#define THREADS ${threads}
#define THREAD_BYTES ${threadBytes}u
${
  flushDenormals || tiles
    ? `typedef struct { sinter_slice slice; const void *args; } moded;
static void moded_slice(const void *p, int32_t begin, int32_t end, int32_t thread) {
  const moded *const m = p;
  const run_mode mode = enter_run();
  m->slice(m->args, begin, end, thread);
  leave_run(mode);
}
INLINE void run_slices(sinter_pool *pool, sinter_slice slice, const void *args, int32_t count, float cost) {
  const moded m = {slice, args};
  sinter_pool_run(pool, THREADS, moded_slice, &m, count, cost);
${tiles ? '  configure_tiles(); /* A slice may have run here, and left. */\n' : ''}}`
    : `INLINE void run_slices(sinter_pool *pool, sinter_slice slice, const void *args, int32_t count, float cost) {
  sinter_pool_run(pool, THREADS, slice, args, count, cost);
}`
}
`;
/** Of Intel's headers only what the flags allow: all of them take GCC half a second for each file. */
const PRELUDE = `
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused))
#define MAY_ALIAS __attribute__((may_alias))
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define INLINE static
#define MAY_ALIAS
#define PREFETCH(p) ((void)0)
#endif
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__SSE4_1__)
#include <smmintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif
`;
