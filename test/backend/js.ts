// A back end in one file, which compiler/README.md shows as an example: kernels become plain JavaScript over typed arrays. Nothing in the
// compiler knows it; a target names it in `emit`, and `compile` and `resolveTarget` are given it.
import { readFileSync } from 'node:fs';
import type { BackEnd } from '../../compiler/backend/backend.ts';
import { moduleReport } from '../../compiler/backend/report.ts';
import { aboutModel } from '../../compiler/bundle/about.ts';
import { indexDts } from '../../compiler/bundle/js/dts.ts';
import { besideIndex, indexJs } from '../../compiler/bundle/js/index-js.ts';
import type { Loader } from '../../compiler/bundle/js/loaders.ts';
import { packageJson } from '../../compiler/bundle/js/page.ts';
import { utf8 } from '../../compiler/core/bytes.ts';
import { InternalError, must } from '../../compiler/core/diagnostic.ts';
import type { Dim } from '../../compiler/core/dim.ts';
import { bytesOf, DTYPES, type DType } from '../../compiler/core/dtype.ts';
import type { Base, BinOp, Expr, Kernel, Stmt, UnOp } from '../../compiler/kernel/ir.ts';
import { expandCodes, expandMath, simplify } from '../../compiler/program/passes/index.ts';
import type { MemoryPlan, Program, Slot, Step } from '../../compiler/program/program.ts';
import { dimSource } from '../../compiler/program/symbols.ts';
import { weightsOf } from '../../compiler/program/weights.ts';

/** The names of the typed arrays over the memory, by what they hold; half floats are the bits of integers here. */
const ARRAYS = [...new Set(Object.values(DTYPES).map(d => d.array.name))];
const arrayOf = (t: DType): string => DTYPES[t].array.name.toLowerCase();

const PRELUDE = `const bytes = new DataView(new ArrayBuffer(8));
const min = (a, b) => (b < a ? b : a);
const max = (a, b) => (a < b ? b : a);
const nearest = x => (Math.abs(x) < 2 ** 52 ? Math.sign(x) * (Math.abs(x) + 2 ** 52 - 2 ** 52) || x * 0 : x);
const saturate = (x, lo, hi) => (x !== x ? 0 : Math.min(Math.max(Math.trunc(x), lo), hi) + 0);
const saturateBig = (x, lo, hi) => (x !== x ? 0n : x <= Number(lo) ? lo : x >= Number(hi) ? hi : BigInt(Math.trunc(x)));
const roundBig = x => {
  const a = x < 0n ? -x : x;
  if (a < 1n << 53n) return Math.fround(Number(x));
  const r = Math.fround(Number((a >> 11n) | (a & 2047n ? 1n : 0n))) * 2048;
  return x < 0n ? -r : r;
};
`;

// ---- kernels

/** The result of an operation as its type holds it. */
function wrapped(base: Base, text: string): string {
  switch (base) {
    case 'i32':
      return `(${text} | 0)`;
    case 'u32':
      return `(${text} >>> 0)`;
    case 'f32':
      return `Math.fround(${text})`;
    case 'f64':
      return `(${text})`;
    case 'i64':
      return `BigInt.asIntN(64, ${text})`;
    case 'u64':
      return `BigInt.asUintN(64, ${text})`;
    case 'i8':
    case 'u8':
    case 'i16':
    case 'u16':
      throw new InternalError(`a scalar of ${base}`);
  }
}
const isBig = (b: Base): boolean => b === 'i64' || b === 'u64';
const SIGNS = { add: '+', sub: '-', mul: '*', div: '/', rem: '%', and: '&', or: '|', xor: '^', shl: '<<', shr: '>>' } as const;
function binary(op: BinOp, base: Base, a: string, b: string): string {
  if (op === 'min' || op === 'max') return `${op}(${a}, ${b})`;
  if (op === 'mul' && (base === 'i32' || base === 'u32')) return wrapped(base, `Math.imul(${a}, ${b})`);
  if (op === 'shl' || op === 'shr') {
    const sign = op === 'shr' && base === 'u32' ? '>>>' : SIGNS[op];
    return wrapped(base, isBig(base) ? `${a} ${sign} (BigInt(${b}) & 63n)` : `${a} ${sign} ${b}`);
  }
  return wrapped(base, `${a} ${SIGNS[op]} ${b}`);
}
const UNARY: Partial<Record<UnOp, (base: Base, a: string) => string>> = {
  neg: (base, a) => wrapped(base, `-${a}`),
  not: (base, a) => wrapped(base, `~${a}`),
  abs: (base, a) => wrapped(base, isBig(base) ? `(${a} < 0n ? -${a} : ${a})` : `Math.abs(${a})`),
  sqrt: (base, a) => wrapped(base, `Math.sqrt(${a})`),
  ceil: (_, a) => `Math.ceil(${a})`,
  floor: (_, a) => `Math.floor(${a})`,
  trunc: (_, a) => `Math.trunc(${a})`,
  nearest: (_, a) => `nearest(${a})`,
};
const LIMITS: Partial<Record<Base, readonly [string, string]>> = {
  i32: ['-2147483648', '2147483647'],
  u32: ['0', '4294967295'],
  i64: ['-(1n << 63n)', '(1n << 63n) - 1n'],
  u64: ['0n', '(1n << 64n) - 1n'],
};
function conversion(from: Base, to: Base, a: string): string {
  const limits = LIMITS[to];
  if (!limits) return to === 'f32' ? (isBig(from) ? `roundBig(${a})` : `Math.fround(${a})`) : `Number(${a})`;
  if (from === 'f32' || from === 'f64') return `${isBig(to) ? 'saturateBig' : 'saturate'}(${a}, ${limits.join(', ')})`;
  if (isBig(to)) return wrapped(to, `BigInt(${a})`);
  return wrapped(to, isBig(from) ? `Number(BigInt.asIntN(32, ${a}))` : a);
}
/** The functions of DataView by what they read and write. */
const VIEWS: Partial<Record<Base, string>> = {
  i32: 'Int32',
  u32: 'Uint32',
  f32: 'Float32',
  f64: 'Float64',
  i64: 'BigInt64',
  u64: 'BigUint64',
};
const name = (s: string): string => `$${s.replace(/\W/g, '_')}`;
const literal = (t: Base, v: number | bigint): string => (isBig(t) ? `(${v}n)` : Object.is(v, -0) ? '(-0)' : `(${v})`);
/** The element `at` of a buffer, which is the address of its first byte, or of what is at the address `base`. */
const element = (e: { readonly dtype: DType; readonly buf: string; readonly at: Expr; readonly base?: Expr }): string =>
  `${arrayOf(e.dtype)}[${e.base ? expr(e.base) : name(e.buf)} / ${bytesOf(e.dtype)} + ${expr(e.at)}]`;
function expr(e: Expr): string {
  switch (e.k) {
    case 'const':
      return literal(e.t.base, e.value);
    case 'var':
      return name(e.name);
    case 'load':
      return element(e);
    case 'addr':
      return `(${name(e.buf)} + ${bytesOf(e.dtype)} * ${expr(e.at)})`;
    case 'bin':
      return binary(e.op, e.t.base, expr(e.a), expr(e.b));
    case 'un':
      return must(UNARY[e.op], `${e.op}, which expand-math replaces`)(e.t.base, expr(e.a));
    case 'cmp':
      return `+(${expr(e.a)} ${{ eq: '===', ne: '!==', lt: '<', le: '<=', gt: '>', ge: '>=' }[e.op]} ${expr(e.b)})`;
    case 'select':
      return `(${expr(e.c)} ? ${expr(e.a)} : ${expr(e.b)})`;
    case 'cast':
      return conversion(e.a.t.base, e.t.base, expr(e.a));
    case 'reinterpret':
      return `(bytes.set${must(VIEWS[e.a.t.base])}(0, ${expr(e.a)}), bytes.get${must(VIEWS[e.t.base])}(0))`;
    case 'splat':
    case 'vec':
    case 'lane':
    case 'shuffle':
    case 'permute':
    case 'widen':
    case 'fma':
    case 'dot':
    case 'reduce':
      throw new InternalError(`${e.k}, which the profile has not`);
  }
}
function statement(s: Stmt): string {
  switch (s.k) {
    case 'let':
      return `let ${name(s.name)} = ${expr(s.value)};`;
    case 'set':
      return `${name(s.name)} = ${expr(s.value)};`;
    case 'store':
      return `${element(s)} = ${expr(s.value)};`;
    case 'for': {
      const v = name(s.v);
      return `for (let ${v} = ${expr(s.lo)}, end${v} = ${expr(s.hi)}; ${v} < end${v}; ${v} += ${s.step}) {\n${block(s.body)}}`;
    }
    case 'while':
      return `while (${expr(s.c)}) {\n${block(s.body)}}`;
    case 'if':
      return `if (${expr(s.c)}) {\n${block(s.then)}} else {\n${block(s.else)}}`;
    case 'prefetch':
      return '';
    case 'mma':
    case 'call':
      throw new InternalError(`${s.k}, which the profile or the passes leave out`);
  }
}
const block = (b: readonly Stmt[]): string => b.map(s => `${statement(s)}\n`).join('');
const kernelText = (k: Kernel, i: number): string =>
  `function k${i}(${k.params.map(p => name(p.name)).join(', ')}) {\n${block(k.body)}}\n`;

// ---- programs

/** A module with `memory`, `run(...sizes)`, `symbol(i)` and `trap()`, as WebAssembly modules have them. */
function programText(p: Program, plan: MemoryPlan): string {
  const symbol = new Map(p.symbols.map((s, i) => [s.name, i]));
  const size = (d: Dim): string => dimSource(d, x => must(symbol.get(x)));
  const at = (s: Slot, offset: Dim, dtype: DType): string => `${must(plan.offsets.get(s))} + ${bytesOf(dtype)} * ${size(offset)}`;
  const value = ({ slot, offset }: { readonly slot: Slot; readonly offset: Dim }): string =>
    `Number(${arrayOf(slot.dtype)}[(${at(slot, offset, slot.dtype)}) / ${bytesOf(slot.dtype)}])`;
  const step = (s: Step): string => {
    switch (s.k) {
      case 'call': {
        const args = s.args.map((a, i) => {
          const to = s.kernel.params[i];
          return a.k === 'int' ? size(a.dim) : at(a.slot, a.offset, to?.k === 'buf' ? to.dtype : a.slot.dtype);
        });
        return `k${p.kernels.indexOf(s.kernel)}(${args.join(', ')});`;
      }
      case 'read': {
        const i = must(symbol.get(s.symbol));
        const { lo, hi } = must(p.symbols[i]);
        return `s[${i}] = ${value(s)};\nif (s[${i}] < ${lo} || s[${i}] > ${hi}) stop(${s.trap});`;
      }
      case 'check':
        return `if (${size(s.a)} !== ${size(s.b)}) stop(${s.trap});`;
      case 'stop':
        return `if (${value(s)}) stop(${s.trap});`;
      case 'branch':
        return `if (${value(s.cond)}) {\n${steps(s.then)}} else {\n${steps(s.else)}}`;
      case 'loop': {
        const i = `s[${must(symbol.get(s.symbol))}]`;
        const more = [...(s.trip === undefined ? [] : [`${i} < ${size(s.trip)}`]), ...(s.cond ? [value(s.cond)] : [])];
        return `for (${i} = 0; ${more.join(' && ')}; ${i}++) {\n${steps(s.body)}}`;
      }
    }
  };
  const steps = (all: readonly Step[]): string => all.map(s => `${step(s)}\n`).join('');
  const given = p.symbols.flatMap((s, i) => (s.from === 'input' ? [`s[${i}]`] : []));
  return `${PRELUDE}export const memory = new Uint8Array(${plan.base + plan.weightsBytes + plan.arenaBytes});
${ARRAYS.map(a => `const ${a.toLowerCase()} = new ${a}(memory.buffer, 0, memory.length / ${a}.BYTES_PER_ELEMENT | 0);\n`).join('')}
const s = [];
let why = 0;
const stop = i => {
  why = i + 1;
  throw new Error('trap');
};
${p.kernels.map(kernelText).join('')}
export const symbol = i => s[i];
export const trap = () => why;
export function run(...sizes) {
  why = 0;
  [${given.join(', ')}] = sizes;
${steps(p.steps)}}
`;
}

// ---- the bundle

const runtime = (file: string): string => readFileSync(new URL(`../../runtimes/js/${file}`, import.meta.url), 'utf8');
const LOADER: Loader = {
  name: 'model',
  script: `${runtime('model.js').replace(/^export /gm, '')}
export async function load() {
  const [m] = MODEL.modules;
  const code = await import(m.code());
  code.memory.set(Uint8Array.from(atob(m.weights), c => c.charCodeAt(0)), m.base);
  return ready(m, code.memory, code);
}
`,
  types: 'export function load(): Promise<Model>;\n',
  async: false,
};
/** Its artifact is the source of a module. */
export const JS: BackEnd<string> = {
  name: 'js',
  title: 'JavaScript',
  fields: [],
  embedsIn: 'index.js',
  io: 'module',
  narrowVectors: false,
  prepares: () => false,
  threads: false,
  dotRows: () => 4,
  check({ vector, threads }, bad) {
    if (vector.bits > 0) bad("'vector.bits' of JavaScript is 0");
    if (threads > 1) bad("'threads' of JavaScript is 1");
  },
  kernelPasses: [simplify, expandMath, expandCodes],
  emit({ program, plan, profile }) {
    const artifact = programText(program, plan);
    const report = moduleReport({ program, plan, profile }, artifact.length);
    return Promise.resolve({ profile, program, plan, report, artifact });
  },
  ending: 'js',
  text: source => source,
  distinct: modules => modules,
  bundle([module], info) {
    const { program, plan, profile, artifact } = must(module);
    const { inputs, outputs, symbols } = program;
    const head = `${program.name}: compiled for ${info.target} from ${info.source.file}`;
    const [at, out] = [inputs, outputs].map(ports => ports.map(p => must(plan.offsets.get(p.slot))));
    const weights = Buffer.from(weightsOf(program, plan)).toString('base64');
    const more = `base: ${plan.base}, weights: '${weights}', code: ${besideIndex('model.js')},`;
    const index = { program, profile, id: 'js', inputs: must(at), outputs: must(out), more };
    const files = {
      'index.js': indexJs(head, LOADER, [index], info.labels, info.rows),
      'index.d.ts': indexDts(head, LOADER, inputs, outputs, symbols, info.labels, info.rows),
      'model.js': artifact,
      'manifest.json': JSON.stringify(aboutModel(info, program, [profile])),
      'package.json': packageJson(program.name),
    };
    return Promise.resolve(new Map(Object.entries(files).map(([f, text]) => [f, utf8(text)])));
  },
};
/** A target for it. */
export const JS_TARGET = { name: 'js', extends: 'wasm-mvp', emit: 'js' };
