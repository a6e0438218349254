import { showDim } from '../core/dim.ts';
import { VERSION } from '../core/version.data.ts';
import type { ModuleReport } from '../options.ts';
import type { Profile } from '../ops/profile.ts';
import type { MemoryPlan, Program } from '../program/program.ts';
import { aboutModel, allSteps, sha256, weightsOf, type BundleInput } from './bundle/index.ts';
import { emitC, type CResult } from './c.ts';
import { flagsOf, productsOf, toolOf } from './c/toolchain.ts';
import { commentText } from './c/types.ts';
import { pythonText } from './c/python.ts';
import { runnerText } from './c/runner.ts';

/** A program as C for one profile. */
export interface NativeModule {
  readonly profile: Profile;
  readonly program: Program;
  readonly plan: MemoryPlan;
  readonly c: CResult;
  /** What was compiled from what, in one line. */
  readonly head: string;
}
/** `macs`: multiply-adds of a run, where operators tell them. */
export function nativeModule(
  program: Program,
  plan: MemoryPlan,
  profile: Profile,
  file: string,
  macs: number | undefined,
): NativeModule {
  const head = `${program.name}: compiled by Sinter ${VERSION} for ${profile.name} from ${file}`;
  return { profile, program, plan, c: emitC(program, plan, profile, { head, flush: (macs ?? 0) > 0 }), head };
}
export function nativeReport(m: NativeModule): ModuleReport {
  return {
    profile: m.profile.name,
    kernels: m.program.kernels.length,
    steps: [...allSteps(m.program.steps)].filter(s => s.k === 'call').length,
    weights: m.plan.weightsBytes,
    arena: m.c.arena,
    bytes: m.c.source.length,
    code: [],
  };
}

const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);

/**
 * The files of a native bundle by name: model.c, model.h, the weights, main.c (a program that runs the model on .npy files), model.py, a Makefile and
 * CMakeLists.txt, manifest.json, README.md. The same input gives the same bytes.
 */
export async function makeNativeBundle(m: NativeModule, b: Omit<BundleInput, 'modules'>): Promise<Map<string, Uint8Array>> {
  const { profile, program, c, head } = m;
  const weights = m.plan.weightsBytes > 0 ? weightsOf(program, m.plan) : undefined;
  const asArray = weights !== undefined && weights.length <= (b.options.embedBelow ?? profile.memory.embedBelow);
  const sources = ['model.c', ...(weights ? [asArray ? 'weights.c' : 'weights.S'] : [])];
  const files = new Map<string, Uint8Array>([
    ['model.h', utf8(c.header)],
    ['model.c', utf8(c.source)],
  ]);
  if (weights && asArray) files.set('weights.c', arrayText(c.prefix, weights));
  else if (weights) {
    files.set('weights.S', utf8(assembly(c.prefix, profile.memory.align)));
    files.set('model.weights', weights);
  }
  files.set('main.c', utf8(runnerText(program, c.arena)));
  const { shared } = productsOf(profile.toolchain.system);
  if (shared) files.set('model.py', utf8(pythonText(program, head, c.arena, profile.memory.align, shared.file)));
  files.set('Makefile', utf8(makefile(profile, sources)));
  files.set('CMakeLists.txt', utf8(cmake(c.prefix, profile, sources)));
  files.set(
    'manifest.json',
    utf8(
      `${JSON.stringify(
        {
          ...aboutModel(b, program, [profile]),
          native: {
            prefix: c.prefix,
            cc: profile.toolchain.cc,
            arena: c.arena,
            weights: { bytes: weights?.length ?? 0, ...(weights && { sha256: await sha256(weights) }) },
            sources,
            system: profile.toolchain.system,
            flags: flagsOf(profile),
          },
        },
        null,
        2,
      )}\n`,
    ),
  );
  files.set('README.md', utf8(readme(m, sources)));
  return files;
}

/** Weights as numbers of one byte each: every compiler reads them, but large ones take long. */
function arrayText(prefix: string, bytes: Uint8Array): Uint8Array {
  const head = utf8(
    `#include <stdint.h>\n#if defined(__GNUC__)\n__attribute__((aligned(64)))\n#endif\nconst uint8_t ${prefix}_weights[${bytes.length}] = {\n`,
  );
  const out = new Uint8Array(head.length + 4 * bytes.length + Math.ceil(bytes.length / 32) + 3);
  out.set(head);
  let at = head.length;
  bytes.forEach((b, i) => {
    for (const ch of String(b)) out[at++] = ch.charCodeAt(0);
    out[at++] = 44;
    if (i % 32 === 31) out[at++] = 10;
  });
  for (const ch of '};\n') out[at++] = ch.charCodeAt(0);
  return out.subarray(0, at);
}
/** weights.S: puts model.weights into the object file. */
export const assembly = (prefix: string, align: number): string => `/* The weights, as they are in model.weights. */
#if defined(__APPLE__)
.section __TEXT,__const
#define NAME _${prefix}_weights
#else
#define NAME ${prefix}_weights
#if defined(__ELF__)
.section .note.GNU-stack,"",%progbits
#endif
.section .rodata
#endif
.globl NAME
.balign ${align}
NAME:
.incbin "model.weights"
`;
const makefile = (profile: Profile, sources: readonly string[]): string => {
  const objects = sources.map(s => s.replace(/\.[cS]$/, '.o'));
  const { archive, shared, program, objectFlags } = productsOf(profile.toolchain.system);
  const made = [archive, ...(shared ? [shared.file] : []), program];
  const compile = ['$(CC) $(CFLAGS)', ...objectFlags, '-c $< -o $@'].join(' ');
  return `# make: ${shared ? 'the libraries and a' : 'the library; make ' + program + ': with the LDFLAGS of a board, a'} program that runs the model on .npy files (${commentText(profile.doc)}).
CC = ${profile.toolchain.cc}
AR = ${toolOf(profile.toolchain.cc, 'ar')}
CFLAGS = ${flagsOf(profile).join(' ')}
OBJECTS = ${objects.join(' ')}

all: ${(shared ? made : [archive]).join(' ')}

${archive}: $(OBJECTS)
\t$(AR) rcs $@ $(OBJECTS)
${shared ? `${shared.file}: $(OBJECTS)\n\t$(CC) $(CFLAGS) ${shared.flags.join(' ')} -o $@ $(OBJECTS) -lm\n` : ''}${program}: main.o ${archive}
\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ main.o ${archive} -lm

%.o: %.c model.h
\t${compile}
weights.o: ${sources.find(s => s.startsWith('weights')) ?? 'model.h'}
\t${compile}

clean:
\trm -f *.o ${made.join(' ')}
.PHONY: all clean
`;
};
const cmake = (prefix: string, profile: Profile, sources: readonly string[]): string => `cmake_minimum_required(VERSION 3.10)
project(${prefix} C${sources.includes('weights.S') ? ' ASM' : ''})
add_library(${prefix} ${sources.join(' ')})
target_include_directories(${prefix} PUBLIC \${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(${prefix} PRIVATE ${flagsOf(profile).join(' ')})
set_target_properties(${prefix} PROPERTIES POSITION_INDEPENDENT_CODE ON)
if(NOT MSVC)
  target_link_libraries(${prefix} PUBLIC m)
endif()
add_executable(${prefix}_main main.c)
target_link_libraries(${prefix}_main ${prefix})
`;
function readme(m: NativeModule, sources: readonly string[]): string {
  const { c, program, profile } = m;
  const n = c.prefix;
  const list = (ports: typeof program.inputs): string =>
    ports.map(p => `\`${commentText(p.name)}\` ${p.type.dtype} [${p.type.shape.map(showDim).join(', ')}]`).join(', ') || 'none';
  const build = [profile.toolchain.cc, ...flagsOf(profile), 'main.c', ...sources, '-lm -o model'].join(' ');
  return `# ${commentText(program.name)}
C for ${profile.name}; model.h says how to call it: \`${n}_run(&inputs, &outputs, arena, sizeof arena)\`, with an arena of
${c.arena} bytes that the caller owns. It allocates nothing and keeps nothing between calls.
\`\`\`sh
make && ./model ${program.inputs.map(p => `${commentText(p.name)}.npy`).join(' ')} --out .
${build}    # the same by hand
\`\`\`
Inputs: ${list(program.inputs)}. Outputs: ${list(program.outputs)}.
From Python, with NumPy: \`import model; model.run(...)\`. manifest.json tells what was compiled, and how.
`;
}
