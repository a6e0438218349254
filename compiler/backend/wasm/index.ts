import { equalBytes } from '../../core/bytes.ts';
import { wasmBundle } from '../../bundle/wasm/index.ts';
import { addresses, cse, expandCodes, expandMath, hoist, inline, simplify, slices } from '../../program/passes/index.ts';
import { outline } from '../../program/passes/outline.ts';
import type { BackEnd } from '../backend.ts';
import { moduleReport } from '../report.ts';
import { codeSizes } from './code-size.ts';
import { emitWasm } from './emit.ts';

/** A WebAssembly module. */
export interface WasmArtifact {
  readonly bytes: Uint8Array;
  /** Bytes of weights that a file brings; the others are inside. */
  readonly outside: number;
  /** Of 64 KB, which the memory has that threads share; undefined where there is one thread, and memory is the module's own. */
  readonly pages: number | undefined;
  readonly text: () => string;
}
export const WASM: BackEnd<WasmArtifact> = {
  name: 'wasm',
  title: 'WebAssembly',
  fields: ['features'],
  embedsIn: 'the module',
  io: 'module',
  narrowVectors: true,
  prepares: () => true,
  threads: true,
  // Two vectors of B, a splat, and the sums.
  dotRows: registers => Math.floor((registers - 3) / 2),
  check({ vector, threads, features }, bad) {
    if (vector.bits > 128) bad("'vector.bits' of WebAssembly is 0 or 128");
    if (vector.fma === 'fused') bad("'vector.fma' of WebAssembly is none or relaxed");
    if (threads > 1 && !features.includes('bulk-memory')) bad("'threads' of WebAssembly need 'bulk-memory' in 'features'");
    if (vector.intDot.startsWith('i8') && vector.fma !== 'relaxed')
      bad(`'vector.intDot' of ${vector.intDot} in WebAssembly needs 'vector.fma' of relaxed`);
    if (vector.permute) bad("'vector.permute' is for C");
  },
  kernelPasses: [simplify, expandMath, expandCodes, slices, outline, addresses, hoist, cse, simplify, inline],
  async emit({ program, plan, profile, embedBelow, instrumentation }) {
    const outside = plan.weightsBytes <= embedBelow ? 0 : plan.commonBytes;
    const { bytes, functions, pages, text } = await emitWasm(program, plan, profile, {
      outside,
      ...(instrumentation && { instrumentation }),
    });
    const report = moduleReport({ program, plan, profile }, bytes.length, codeSizes(program, bytes, functions));
    return { profile, program, plan, report, artifact: { bytes, outside, pages, text } };
  },
  ending: 'wat',
  text: a => a.text(),
  // Code that gains nothing from a better engine is in the bundle once.
  distinct: modules => modules.filter((m, i) => !modules.slice(i + 1).some(n => equalBytes(m.artifact.bytes, n.artifact.bytes))),
  bundle: wasmBundle,
};
