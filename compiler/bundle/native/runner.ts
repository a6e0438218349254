import { maxOf } from '../../core/extremes.ts';
import { must } from '../../core/diagnostic.ts';
import { dimHi, dimProd, type Dim } from '../../core/dim.ts';
import type { DType } from '../../core/dtype.ts';
import { quoteC } from '../../core/quote.ts';
import type { Port, Program } from '../../program/program.ts';
import { solveSymbols } from '../../program/symbols.ts';
import { RUNNER } from './runner.data.ts';
import { namesOf } from '../../backend/c/names.ts';
import { SIZE_FUNCTIONS, sizeText } from '../../backend/c/sizes.ts';
import { elementBytes, elementType } from '../../backend/c/types.ts';

const DESCR: Readonly<Record<DType, string>> = {
  f32: '<f4',
  f64: '<f8',
  f16: '<f2',
  bf16: '<u2',
  f8e4m3fn: '|u1',
  f8e4m3fnuz: '|u1',
  f8e5m2: '|u1',
  f8e5m2fnuz: '|u1',
  f8e8m0: '|u1',
  f4e2m1: '|u1',
  i2: '|i1',
  u2: '|u1',
  i4: '|i1',
  u4: '|u1',
  i8: '|i1',
  u8: '|u1',
  i16: '<i2',
  u16: '<u2',
  i32: '<i4',
  u32: '<u4',
  i64: '<i8',
  u64: '<u8',
  bool: '|b1',
  // The places of texts.
  text: '<i4',
};

/** main.c: a program that runs the model on .npy files, with as many threads as the model was compiled for unless it is told fewer. */
export function runnerText(p: Program, arena: number, threads: number): string {
  const names = namesOf(p);
  const { prefix: n } = names;
  const given = p.symbols.filter(s => s.from === 'input');
  const symbol = (name: string): string => {
    const s = must(p.symbols.find(x => x.name === name));
    return s.from === 'input' ? `in.dims.${must(names.symbols.get(name))}` : `sizes.${must(names.symbols.get(name))}`;
  };
  const size = (d: Dim): string => sizeText(d, symbol);
  const ports = (name: string, list: readonly Port[], words: ReadonlyMap<Port, string>): string =>
    `static const port ${name}_PORTS[] = {\n${[...list.map(x => `  {${quoteC(x.name)}, "${must(words.get(x))}", "${DESCR[x.type.dtype]}", ${x.type.shape.length}, ${elementBytes(x.type.dtype)}, ${dimHi(dimProd(x.type.shape))}},`), '  {0},'].join('\n')}\n};`;
  const lines: string[] = [];
  for (const s of solveSymbols(p.inputs, p.symbols)) {
    const got = `(int32_t)inputs[${s.port}].shape[${s.axis}]`;
    const rest = s.add === 0 ? got : `(${got} - ${size(s.add)})`;
    lines.push(`  ${symbol(s.symbol.name)} = ${s.mul === 1 ? rest : `${rest} / (${size(s.mul)})`};`);
  }
  p.inputs.forEach((x, i) => {
    x.type.shape.forEach((d, axis) => lines.push(`  if (inputs[${i}].shape[${axis}] != ${size(d)}) return WRONG_SHAPE;`));
    lines.push(`  in.${must(names.inputs.get(x))} = (const ${elementType(x.type.dtype)} *)inputs[${i}].data;`);
  });
  p.outputs.forEach((x, i) =>
    lines.push(`  out.${must(names.outputs.get(x))} = (${elementType(x.type.dtype)} *)outputs[${i}].data;`),
  );
  const after: string[] = [];
  p.outputs.forEach((x, i) => {
    after.push(`  outputs[${i}].rank = ${x.type.shape.length};`);
    x.type.shape.forEach((d, axis) => after.push(`  outputs[${i}].shape[${axis}] = ${size(d)};`));
  });
  const body = [...lines, ...after].join('\n');
  const late = body.includes('sizes.');
  const rank = maxOf(
    [...p.inputs, ...p.outputs].map(x => x.type.shape.length),
    1,
  );
  const functions = Object.entries(SIZE_FUNCTIONS).filter(([name]) => body.includes(`${name}(`));
  return `/* Runs the model on .npy files: make && ./${n} input.npy --out . */
${threads > 1 ? '#define _POSIX_C_SOURCE 200112L\n' : ''}#include "model.h"
#include <stddef.h>
#define INLINE static inline
#define MAX_RANK ${rank}
#define INPUTS ${p.inputs.length}
#define OUTPUTS ${p.outputs.length}
#define ARENA ${Math.max(1, arena)}u
#define THREADS ${threads}
#define WRONG_SHAPE -1
typedef struct { const char *name, *word, *descr; int rank; size_t bytes, most; } port;
typedef struct { int rank; long long shape[MAX_RANK]; void *data; } tensor;
${ports('INPUT', p.inputs, names.inputs)}
${ports('OUTPUT', p.outputs, names.outputs)}
${functions.map(([, f]) => `${f}\n`).join('')}
static const char *error_text(int code) {
  return code == WRONG_SHAPE ? "an input has a shape that the model does not take" : ${n}_error(code);
}
${threads > 1 ? 'static sinter_pool *pool;\n' : ''}static int run_model(const tensor *inputs, tensor *outputs, void *arena) {
  ${n}_inputs in;
  ${n}_outputs out;
${late ? `  ${n}_sizes sizes;\n` : ''}${given.length === 0 && p.inputs.length === 0 ? '  (void)inputs;\n  in.none = 0;\n' : ''}${lines.join('\n')}
${late ? '  out.sizes = &sizes;\n' : ''}  const int code = ${n}_run${threads > 1 ? '_on(pool, ' : '('}&in, &out, arena, ARENA);
  if (code != ${n}_OK) return code;
${after.join('\n')}
  return ${n}_OK;
}

${RUNNER}`;
}
