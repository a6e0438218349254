import { must } from '../../core/diagnostic.ts';
import { dimHi, dimProd } from '../../core/dim.ts';
import { bytesOf } from '../../core/dtype.ts';
import { quoteJs } from '../../core/quote.ts';
import type { Profile } from '../../target/profile.ts';
import type { Port, Program } from '../../program/program.ts';
import { besideIndex, type IndexModule } from '../js/index-js.ts';
import { computedSymbols } from '../../program/symbols.ts';
import type { CArtifact } from '../../backend/c/emit.ts';
import { BINDING } from './binding.data.ts';
import { ERRORS } from '../../backend/c/header.ts';
import { ASK_FOR_TILES, usesTiles } from '../../backend/c/float-environment.ts';
import { namesOf } from '../../backend/c/names.ts';
import { elementType } from '../../backend/c/types.ts';

/** The memory of an instance that JavaScript opens: places in bytes. The arena lies at its start. */
interface Layout {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** After a run: its code and the sizes that the model worked out, as int32. */
  readonly state: number;
  readonly bytes: number;
}
function layoutOf(p: Program, arena: number, align: number): Layout {
  let end = arena;
  const place = (bytes: number): number => {
    const at = Math.ceil(end / align) * align;
    end = at + bytes;
    return at;
  };
  const port = (x: Port): number => place(dimHi(dimProd(x.type.shape)) * bytesOf(x.type.dtype));
  const [inputs, outputs] = [p.inputs.map(port), p.outputs.map(port)];
  return { inputs, outputs, state: place(4 + 4 * computedSymbols(p).length), bytes: end };
}

/** By this an addon knows its library: the end of model.c. */
export const idText = (prefix: string, id: string): string =>
  `\nextern const char ${prefix}_id[];\nconst char ${prefix}_id[] = "${id}";\n`;

/** What is called of the model where it lies in a library beside the addon. */
function libraryText(n: string, library: string, threads: number, finder: string | undefined): string {
  const ports = `const ${n}_inputs *, const ${n}_outputs *, void *, size_t`;
  const functions = [
    threads > 1 ? `int, ${n}_run_on, (sinter_pool *, ${ports})` : `int, ${n}_run, (${ports})`,
    `const char *, ${n}_error, (int)`,
    ...(finder === undefined ? [] : [`const uint8_t *, ${finder}, (void)`]),
    ...(threads > 1 ? ['sinter_pool *, sinter_pool_create, (int)', 'void, sinter_pool_destroy, (sinter_pool *)'] : []),
  ];
  const names = functions.map(f => f.split(', ')[1] ?? '');
  return `#ifndef MODEL_INSIDE
/* The model and its weights lie in a library beside this addon, and this is called of it. */
#define LIBRARY "${library}"
#define LIBRARY_ID "${n}_id"
${finder === undefined ? '' : `#define WEIGHTS ${finder}\n`}#define MODEL(F) ${functions.map(f => `\\\n  F(${f})`).join(' ')}
#define F(result, name, parameters) static result (*library_##name) parameters;
MODEL(F)
#undef F
${names.map(f => `#define ${f} library_${f}\n`).join('')}#endif
`;
}

/**
 * The binding of a model to JavaScript: node.c, and what index.js says of the module that is built from it into `file`. `library`: where the
 * model lies; undefined: in the module itself. `finder`: what gives its weights, where they lie in a file beside that.
 */
export function bindingOf(
  p: Program,
  profile: Profile,
  c: CArtifact,
  id: string,
  { file, library, finder }: { readonly file: string; readonly library: string | undefined; readonly finder: string | undefined },
): { readonly source: string; readonly module: IndexModule } {
  const names = namesOf(p);
  const { prefix: n } = names;
  const { threads, memory } = profile;
  const { align } = memory;
  const at = layoutOf(p, c.arena, align);
  const given = p.symbols.filter(s => s.from === 'input');
  const computed = computedSymbols(p);
  const tiles = usesTiles(p.kernels);
  const field = (struct: string, name: string, value: string): string => `  ${struct}.${name} = ${value};`;
  const port = (struct: string, x: Port, name: string, place: number): string =>
    field(struct, name, `(${struct === 'in' ? 'const ' : ''}${elementType(x.type.dtype)} *)(void *)(memory + ${place})`);
  const body = [
    ...given.map((s, i) => field('in', `dims.${must(names.symbols.get(s.name))}`, `given[${i}]`)),
    ...p.inputs.map((x, i) => port('in', x, must(names.inputs.get(x)), must(at.inputs[i]))),
    ...(given.length + p.inputs.length === 0 ? [field('in', 'none', '0')] : []),
    ...p.outputs.map((x, i) => port('out', x, must(names.outputs.get(x)), must(at.outputs[i]))),
    ...(computed.length > 0 ? [field('out', 'sizes', '&sizes')] : []),
  ];
  const source = `/* Gives the model to JavaScript; it becomes ${file}, which index.js loads: make ${file} */
${library === undefined ? '' : '#define _GNU_SOURCE /* dladdr */\n'}#include "model.h"

#define ID "${id}"
#define MEMORY ((size_t)${at.bytes}u)
#define ALIGN ((size_t)${align}u)
#define STATE ${at.state}u
#define ARGS ${given.length}

${library === undefined ? '' : libraryText(n, library, threads, finder)}${tiles ? ASK_FOR_TILES : ''}
static const char *missing(void) {
${profile.toolchain.cpu.map(f => `  if (!__builtin_cpu_supports("${f}")) return "this processor has no ${f}";\n`).join('')}${tiles ? '  if (!may_use_tiles()) return "this processor or its system has no AMX tiles";\n' : ''}  return NULL;
}
static void *start_pool(void) { return ${threads > 1 ? `sinter_pool_create(${threads})` : 'NULL'}; }
static void end_pool(void *pool) { ${threads > 1 ? 'sinter_pool_destroy(pool)' : '(void)pool'}; }
static int run_model(void *pool, uint8_t *memory, const int32_t *given, int32_t *worked_out) {
  ${n}_inputs in;
  ${n}_outputs out;
${computed.length > 0 ? `  ${n}_sizes sizes = {0};\n` : ''}${given.length > 0 ? '' : '  (void)given;\n'}${computed.length > 0 ? '' : '  (void)worked_out;\n'}${body.join('\n')}
${threads > 1 ? '' : '  (void)pool;\n'}  const int code = ${n}_run${threads > 1 ? '_on(pool, ' : '('}&in, &out, memory, ${n}_ARENA_BYTES);
${computed.map((s, i) => `  worked_out[${i}] = sizes.${must(names.symbols.get(s.name))};\n`).join('')}  return code;
}
static const char *error_text(int code) { return ${n}_error(code); }

${BINDING}`;
  const { inputs, outputs, state } = at;
  const more = `file: ${quoteJs(file)}, own: ${besideIndex(file)}, state: ${state}, trap: ${ERRORS.length - 1},`;
  return { source, module: { program: p, profile, id, inputs, outputs, more } };
}
