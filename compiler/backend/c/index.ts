import { nativeBundle } from '../../bundle/native/index.ts';
import { expandCodes, expandMath, simplify, slices } from '../../program/passes/index.ts';
import { outline } from '../../program/passes/outline.ts';
import type { BackEnd } from '../backend.ts';
import { moduleReport } from '../report.ts';
import { emitC, headOf, type CArtifact } from './emit.ts';

/** Systems whose threads the pool of runtimes/c can use. */
const THREADED: readonly string[] = ['unix', 'macos', 'windows'];

export const C: BackEnd<CArtifact> = {
  name: 'c',
  title: 'C',
  fields: ['toolchain'],
  embedsIn: 'the sources, as numbers',
  io: 'caller',
  narrowVectors: true,
  // Where memory is scarce, weights stay where they are: in flash.
  prepares: ({ memory, toolchain }) => !memory.scarce && toolchain.system !== 'bare',
  threads: true,
  // GCC 12 spills more of them, and these are enough.
  dotRows: registers => Math.floor(registers / 4),
  check({ toolchain, threads }, bad) {
    if (threads > 1 && !THREADED.includes(toolchain.system))
      bad(`'threads' needs POSIX threads, which '${toolchain.system}' does not have`);
    if (toolchain.cc === '') bad("'toolchain.cc' is empty; name a C compiler");
  },
  // A C compiler does the rest itself.
  kernelPasses: [simplify, expandMath, expandCodes, slices, outline],
  emit({ program, plan, profile, file, flushDenormals, instrumentation }) {
    const artifact = emitC(program, plan, profile, {
      head: headOf(program, profile.name, file),
      flushDenormals,
      ...(instrumentation && { instrumentation }),
    });
    const report = moduleReport({ program, plan, profile }, artifact.source.length);
    return Promise.resolve({ profile, program, plan, report, artifact });
  },
  ending: 'c',
  text: a => a.source,
  distinct: modules => modules,
  bundle: nativeBundle,
};
