import { must } from '../../core/diagnostic.ts';
import { showDim } from '../../core/dim.ts';
import { commentBlock } from '../../core/quote.ts';
import type { Port, Program } from '../../program/program.ts';
import { computedSymbols } from '../../program/symbols.ts';
import type { Names } from './names.ts';
import { elementType } from './types.ts';

/** Codes that NAME_run gives back; those for the model's own traps follow. */
export const ERRORS = [
  ['OK', 'done'],
  ['NULL', 'a pointer is null'],
  ['ALIGN', 'a buffer or the arena is not aligned'],
  ['ARENA', 'the arena is too small'],
  ['DIM', 'a dimension is outside of its range'],
  ['EQUAL', 'sizes that must be equal are not'],
  ['PROCESSOR', 'the processor or its system lacks what the model was compiled for'],
  ['WEIGHTS', 'model.weights is not beside the library, or is of another compilation'],
  ['MEMORY', 'there is no memory to prepare the weights in'],
] as const;

/** What a program whose tensors hold texts has besides. */
export const hasTexts = (p: Program): boolean => [...p.inputs, ...p.outputs].some(x => x.type.dtype === 'text');
const textsText = (p: Program, n: string): string =>
  hasTexts(p)
    ? `/* Elements of type text are places in this list. Another text has a place behind them: any, but another for each different text. */
#define ${n}_TEXTS ${p.texts?.length ?? 0}
extern const char *const ${n}_texts[];
/* The place of a text, in UTF-8; -1 where it is not in the list${p.texts?.some(t => t.includes('\0')) ? '. Texts with a zero byte inside end there in C: they are not found' : ''}. */
int32_t ${n}_text(const char *text);

`
    : '';

const preparedText = (n: string, bytes: number): string => `
/* Weights are stored small, and kernels read some of them in another form. The first run makes it for all runs and threads, in memory that it
 * takes by malloc and that stays until the program ends. To choose the time and the memory, call this before the first run: memory of
 * ${n}_PREPARED_BYTES, aligned as an arena, which belongs to the model while the program or the library is loaded, and an arena, which is free
 * again afterwards. Once is enough; of later calls the memory is not used. Gives ${n}_OK or another of the codes above. */
#define ${n}_PREPARED_BYTES ${bytes}u
int ${n}_prepare(void *memory, size_t memory_bytes, void *arena, size_t arena_bytes);

`;
interface HeaderInput {
  readonly head: string;
  readonly program: Program;
  readonly names: Names;
  readonly arena: number;
  /** Bytes of what is prepared of the weights; 0: nothing is. */
  readonly prepared: number;
  readonly align: number;
  readonly threads: number;
}
/** model.h: the only thing that a user of the code reads. */
export function headerText(h: HeaderInput): string {
  const { program: p, names } = h;
  const { prefix: n } = names;
  const guard = `${n.toUpperCase()}_H`;
  const given = p.symbols.filter(s => s.from === 'input');
  const computed = computedSymbols(p);
  const shape = (x: Port): string => `[${x.type.shape.map(showDim).join(', ')}]`;
  const field = (x: Port, name: string, isInput: boolean): string =>
    `  ${isInput ? 'const ' : ''}${elementType(x.type.dtype)} *${name}; /* ${commentBlock(`${x.name}: ${x.type.dtype} ${shape(x)}${x.spelt ? ': texts in UTF-8, with zeros behind the end of each' : ''}`)} */`;
  const symbolName = (s: string): string => must(names.symbols.get(s));
  const dims = given.map(s => `  int32_t ${symbolName(s.name)}; /* ${s.lo} to ${s.hi} */`);
  const sizes = computed.map(s => `  int32_t ${symbolName(s.name)}; /* ${s.lo} to ${s.hi} */`);
  const codes = ERRORS.map(([code, text], i) => `#define ${n}_${code} ${i} /* ${text} */`);
  return `/* ${commentBlock(h.head)} */
#ifndef ${guard}
#define ${guard}

#include <stddef.h>
#include <stdint.h>
${h.threads > 1 ? '#include "pool.h"\n' : ''}
#ifdef __cplusplus
extern "C" {
#endif

/* Scratch memory that a run needs. Its contents mean nothing between runs; two runs at a time need one each. */
#define ${n}_ARENA_BYTES ${h.arena}u
#define ${n}_ARENA_ALIGN ${h.align}u

${
  dims.length > 0
    ? `/* The sizes that vary. */
typedef struct ${n}_dims {
${dims.join('\n')}
} ${n}_dims;

`
    : ''
}${
    sizes.length > 0
      ? `/* Sizes that the model works out. */
typedef struct ${n}_sizes {
${sizes.join('\n')}
} ${n}_sizes;

`
      : ''
  }/* Dense, row-major tensors; aligned to their elements. */
typedef struct ${n}_inputs {
${[...(dims.length > 0 ? [`  ${n}_dims dims;`] : []), ...p.inputs.map(x => field(x, must(names.inputs.get(x)), true))].join('\n') || '  char none; /* the model has no inputs */'}
} ${n}_inputs;

typedef struct ${n}_outputs {
${[...p.outputs.map(x => field(x, must(names.outputs.get(x)), false)), ...(sizes.length > 0 ? [`  ${n}_sizes *sizes; /* may be null */`] : [])].join('\n')}
} ${n}_outputs;

${codes.join('\n')}

/* Computes the outputs. Gives ${n}_OK or another of the codes above, or a reason of the model's own; see ${n}_error. */
int ${n}_run(const ${n}_inputs *inputs, const ${n}_outputs *outputs, void *arena, size_t arena_bytes);
${
  h.threads > 1
    ? `
/* The same with the help of at most ${n}_THREADS threads of a pool (see pool.h), bit for bit; with none where it is null. */
#define ${n}_THREADS ${h.threads}
int ${n}_run_on(sinter_pool *pool, const ${n}_inputs *inputs, const ${n}_outputs *outputs, void *arena, size_t arena_bytes);
`
    : ''
}
${h.prepared > 0 ? preparedText(n, h.prepared) : ''}${textsText(p, n)}/* What a code means, in English. Never null. */
const char *${n}_error(int code);

#ifdef __cplusplus
}
#endif
#endif
`;
}
