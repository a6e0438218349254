import { showDim } from '../core/dim.ts';
import { VERSION } from '../core/version.data.ts';
import type { ModuleReport } from '../options.ts';
import type { Profile } from '../ops/profile.ts';
import type { MemoryPlan, Program } from '../program/program.ts';
import { aboutModel, allSteps, sha256, weightsOf, type BundleInput } from './bundle/index.ts';
import { indexDts } from './bundle/dts.ts';
import { indexJs } from './bundle/index-js.ts';
import { packageJson, usage } from './bundle/page.ts';
import { emitC, type CResult } from './c.ts';
import { EMNAPI_RUNTIME } from './c/binding.data.ts';
import { bindingOf } from './c/binding.ts';
import { cmake, makefile } from './c/make.ts';
import { POOL } from './c/pool.data.ts';
import { flagsOf, productsOf } from './c/toolchain.ts';
import { commentText } from './c/types.ts';
import { pythonText } from './c/python.ts';
import { runnerText } from './c/runner.ts';
import { packageName, wheelFiles } from './c/wheel.ts';

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
 * The files of a native bundle by name: model.c, model.h, the weights, pool.c and pool.h (where it has threads), main.c (a program that runs the model on .npy files), node.c, index.js
 * and index.d.ts (for JavaScript), model.py, a Makefile and CMakeLists.txt, manifest.json, README.md; less what the target cannot have. The
 * same input gives the same bytes.
 */
export async function makeNativeBundle(m: NativeModule, b: Omit<BundleInput, 'modules'>): Promise<Map<string, Uint8Array>> {
  const { profile, program, c, head } = m;
  const weights = m.plan.weightsBytes > 0 ? weightsOf(program, m.plan) : undefined;
  const asArray = weights !== undefined && weights.length <= (b.options.embedBelow ?? profile.memory.embedBelow);
  const pooled = profile.threads > 1;
  const sources = ['model.c', ...(weights ? [asArray ? 'weights.c' : 'weights.S'] : []), ...(pooled ? ['pool.c'] : [])];
  const files = new Map<string, Uint8Array>([
    ['model.h', utf8(c.header)],
    ['model.c', utf8(c.source)],
  ]);
  if (weights && asArray) files.set('weights.c', arrayText(c.prefix, weights));
  else if (weights) {
    files.set('weights.S', utf8(assembly(c.prefix, profile.memory.align, weights.length)));
    files.set('model.weights', weights);
  }
  if (pooled) for (const [name, text] of Object.entries(POOL)) files.set(name, utf8(text));
  const { shared, addon, program: main } = productsOf(profile.toolchain.system);
  if (main !== undefined) files.set('main.c', utf8(runnerText(program, c.arena, profile.threads)));
  if (shared) files.set('model.py', utf8(pythonText(program, head, c.arena, profile, shared.file)));
  const digest = weights && (await sha256(weights));
  const id = (await sha256(utf8(`${c.header}${c.source}${digest ?? ''}`))).slice(0, 16);
  if (shared) for (const [name, text] of wheelFiles(program, head, id, shared.file)) files.set(name, utf8(text));
  if (addon) {
    const binding = bindingOf(program, profile, c, id, addon.file);
    files.set('node.c', utf8(binding.source));
    files.set('index.js', utf8(indexJs(head, addon.loader, [binding.module], b.labels, b.rows)));
    const { inputs, outputs, symbols } = program;
    files.set('index.d.ts', utf8(indexDts(head, addon.loader, inputs, outputs, symbols, b.labels, b.rows)));
    files.set('package.json', utf8(packageJson(program.name)));
    if (addon.loader === 'emnapi') files.set('emnapi-runtime.js', utf8(EMNAPI_RUNTIME));
  }
  files.set('Makefile', utf8(makefile(profile, sources)));
  if (main !== undefined) files.set('CMakeLists.txt', utf8(cmake(c.prefix, profile, sources)));
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
            weights: { bytes: weights?.length ?? 0, ...(digest !== undefined && { sha256: digest }) },
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
  files.set('README.md', utf8(readme(m, sources, b.rows)));
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
export const assembly = (
  prefix: string,
  align: number,
  bytes: number,
): string => `/* The weights, as they are in model.weights. */
#if defined(__APPLE__)
.section __TEXT,__const
#define NAME _${prefix}_weights
#else
#define NAME ${prefix}_weights
#if defined(__wasm__)
.section .rodata.NAME,"",@
.type NAME,@object
.size NAME, ${bytes}
#else
#if defined(_WIN32)
.section .rdata,"dr"
#else
.section .note.GNU-stack,"",%progbits
.section .rodata
#endif
#endif
#endif
.globl NAME
.balign ${align}
NAME:
.incbin "model.weights"
`;
function readme(m: NativeModule, sources: readonly string[], rows: BundleInput['rows']): string {
  const { c, program, profile, head } = m;
  const n = c.prefix;
  const { addon, program: main, shared } = productsOf(profile.toolchain.system);
  const list = (ports: typeof program.inputs): string =>
    ports.map(p => `\`${commentText(p.name)}\` ${p.type.dtype} [${p.type.shape.map(showDim).join(', ')}]`).join(', ') || 'none';
  const build = [profile.toolchain.cc, ...flagsOf(profile), 'main.c', ...sources, '-lm -o model'].join(' ');
  const parts = [
    `# ${commentText(program.name)}
${commentText(head)}

model.h says how to call it from C: \`${n}_run(&inputs, &outputs, arena, sizeof arena)\`, with an arena of ${c.arena} bytes that the caller owns.
It allocates nothing and keeps nothing between calls. ${profile.threads > 1 ? `\`${n}_run_on\` is the same with up to ${profile.threads} threads of a pool (pool.h). ` : ''}Inputs: ${list(program.inputs)}. Outputs: ${list(program.outputs)}.
manifest.json tells what was compiled, and how.`,
    ...(main === undefined
      ? []
      : [
          `\`\`\`sh
make && ./${main} ${program.inputs.map(p => `${commentText(p.name)}.npy`).join(' ')} --out .
${build}    # the same by hand
\`\`\``,
        ]),
    ...(addon
      ? [
          `From JavaScript (\`make ${addon.file}\`), as a bundle for WebAssembly:\n${usage(program.inputs, program.outputs, rows)}`,
        ]
      : []),
    ...(shared
      ? [
          `From Python, with NumPy: \`import model; model.run(...)\` here, or everywhere after \`pip install .\`: \`import ${packageName(program)}\`.`,
        ]
      : []),
  ];
  return `${parts.join('\n\n')}\n`;
}
