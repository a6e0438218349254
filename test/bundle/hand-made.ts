// Models written by hand: a program's description with a module in WebAssembly's text form, so that the loader is tested without the
// rest of the compiler.
import { mkdtempSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import binaryen from 'binaryen';
import { symbol, type Dim, dimHi, dimProd } from '../../compiler/core/dim.ts';
import { bytesOf, type DType } from '../../compiler/core/dtype.ts';
import type { CompiledModule } from '../../compiler/backend/backend.ts';
import { moduleReport } from '../../compiler/backend/report.ts';
import { WASM, type WasmArtifact } from '../../compiler/backend/wasm/index.ts';
import type { ModelInfo } from '../../compiler/bundle/about.ts';
import type { Guard } from '../../compiler/ops/define.ts';
import type { MemoryPlan, Port, Program, Slot, SymbolInfo } from '../../compiler/program/program.ts';
import { resolveTarget } from '../../compiler/target/resolve.ts';

export type PortSpec = readonly [name: string, dtype: DType, shape: readonly Dim[]];
export interface HandMade {
  readonly symbols?: readonly SymbolInfo[];
  readonly inputs: readonly PortSpec[];
  readonly outputs: readonly PortSpec[];
  readonly guards?: readonly Guard[];
  readonly traps?: readonly string[];
  readonly weights?: Uint8Array;
  /** The module's fields apart from memory; `$NAME` of a port and `$weights` stand for addresses. */
  readonly wat: string;
  readonly target?: string;
  readonly name?: string;
}
export type HandMadeModule = CompiledModule<WasmArtifact>;
export const BASE = 64;

export function wasmOf(wat: string): Uint8Array {
  const m = binaryen.parseText(wat);
  m.setFeatures(binaryen.Features.MVP | binaryen.Features.SIMD128 | binaryen.Features.RelaxedSIMD);
  if (m.validate() === 0) throw new Error('invalid module');
  const bytes = m.emitBinary();
  m.dispose();
  return bytes;
}

export function handMade(h: HandMade): HandMadeModule {
  const [profile] = resolveTarget(h.target ?? 'wasm-mvp').profiles;
  if (!profile) throw new Error('no profile');
  const offsets = new Map<Slot, number>();
  const weights = h.weights ?? new Uint8Array(0);
  let at = BASE + Math.ceil(weights.length / 16) * 16;
  let wat = h.wat;
  const ports = (list: readonly PortSpec[], where: 'input' | 'output'): Port[] =>
    list.map(([name, dtype, shape]) => {
      const slot: Slot = { name, dtype, size: dimProd(shape), where };
      offsets.set(slot, at);
      wat = wat.replaceAll(`$${name}`, `(i32.const ${at})`);
      at += Math.ceil((dimHi(dimProd(shape)) * bytesOf(dtype)) / 16) * 16;
      return { name, type: { dtype, shape }, slot };
    });
  const inputs = ports(h.inputs, 'input');
  const outputs = ports(h.outputs, 'output');
  wat = wat.replaceAll('$weights', `(i32.const ${BASE})`);
  const slots = [...offsets.keys()];
  if (weights.length > 0) {
    const w: Slot = { name: 'w', dtype: 'u8', size: weights.length, where: 'weights', bytes: weights };
    offsets.set(w, BASE);
    slots.unshift(w);
  }
  const program: Program = {
    name: h.name ?? 'hand',
    kernels: [],
    slots,
    prepare: [],
    steps: [],
    inputs,
    outputs,
    symbols: h.symbols ?? [],
    guards: h.guards ?? [],
    traps: h.traps ?? [],
  };
  const plan: MemoryPlan = {
    offsets,
    base: BASE,
    weightsBytes: weights.length,
    commonBytes: weights.length,
    arenaBytes: at - BASE - weights.length,
    preparedBytes: 0,
    threadBytes: 0,
  };
  const bytes = wasmOf(`(module (memory (export "memory") ${Math.ceil(at / 65536)}) ${wat})`);
  const report = moduleReport({ program, plan, profile }, bytes.length);
  return { profile, program, plan, report, artifact: { bytes, outside: weights.length, pages: undefined, text: () => wat } };
}
export const bundleOf = (modules: readonly HandMadeModule[], more: Partial<ModelInfo> = {}): Promise<Map<string, Uint8Array>> =>
  WASM.bundle(modules, {
    target: 'test',
    source: { file: 'hand.onnx', bytes: 0, sha256: '' },
    operators: { before: 1, after: 1 },
    macs: undefined,
    passes: [],
    options: {},
    ...more,
  });

/** A folder with the files, below one temporary folder for each test file. */
export function put(files: ReadonlyMap<string, Uint8Array>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-test-'));
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  return dir;
}
export const dim = (name: string, lo: number, hi: number): { readonly info: SymbolInfo; readonly d: Dim } => ({
  info: { name, lo, hi, from: 'input' },
  d: symbol(name, lo, hi),
});

export interface Out {
  data: Float32Array;
  dims: number[];
  type: string;
}
/** What these tests use of a bundle's index.js. */
export interface Loaded {
  readonly profile: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputs: Record<string, { data: Float32Array; dims: number[]; shape: (number | string)[] }>;
  readonly outputs: Record<string, Out>;
  run(inputs: Record<string, unknown>, options?: { into?: Record<string, unknown> }): Record<string, Out>;
}
export interface Index {
  load(source?: unknown): Promise<Loaded>;
  readonly labels?: readonly string[];
}
export const importBundle = async (dir: string): Promise<Index> =>
  (await import(pathToFileURL(join(dir, 'index.js')).href)) as Index;
export { mkdirSync };
