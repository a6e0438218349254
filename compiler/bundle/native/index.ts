import { InternalError, must } from '../../core/diagnostic.ts';
import { showDim } from '../../core/dim.ts';
import type { CompiledModule } from '../../backend/backend.ts';
import type { Profile } from '../../target/profile.ts';
import type { Program } from '../../program/program.ts';
import { weightsOf } from '../../program/weights.ts';
import { equalBytes, sha256, utf8 } from '../../core/bytes.ts';
import { aboutModel, type ModelInfo } from '../about.ts';
import { indexDts } from '../js/dts.ts';
import { indexJs } from '../js/index-js.ts';
import { EMNAPI_LOADER } from '../js/loaders.ts';
import { packageJson, usage } from '../js/page.ts';
import { headOf, type CResult } from '../../backend/c/emit.ts';
import { EMNAPI_RUNTIME } from './binding.data.ts';
import { bindingOf } from './binding.ts';
import { cmake } from './cmake.ts';
import { makefile } from './make.ts';
import { POOL } from './pool.data.ts';
import { headerText } from '../../backend/c/header.ts';
import { levelsOf, levelText, pickerText } from './multiversion.ts';
import { namesOf } from '../../backend/c/names.ts';
import { flagsOf, productsOf } from './toolchain.ts';
import { commentText } from '../../backend/c/types.ts';
import { pythonText } from './python.ts';
import { runnerText } from './runner.ts';
import { packageName, wheelFiles } from './wheel.ts';

type CModule = CompiledModule<CResult>;

/**
 * The files of a native bundle by name: model.c, model.h, the weights, pool.c and pool.h (where it has threads), main.c (a program that runs the model on .npy files), node.c, index.js
 * and index.d.ts (for JavaScript), model.py, a Makefile and CMakeLists.txt, manifest.json, README.md; less what the target cannot have. The
 * same input gives the same bytes.
 */
export async function nativeBundle(modules: readonly CModule[], b: ModelInfo): Promise<Map<string, Uint8Array>> {
  const base = must(modules.at(-1), 'module');
  const { program } = base;
  const several = modules.length > 1;
  const names = modules.map(m => m.profile.name);
  const profile = several
    ? { ...base.profile, name: b.target, doc: `the best that a processor runs of ${names.join(', ')}` }
    : base.profile;
  const head = headOf(program, profile.name, b.source.file);
  const c = several ? together(modules, head) : base.artifact;
  const pooled = profile.threads > 1;
  const files = new Map<string, Uint8Array>([['model.h', utf8(c.header)]]);
  const weights = modules.map(m => (m.plan.weightsBytes > 0 ? weightsOf(m.program, m.plan) : undefined));
  const levels = levelsOf(modules.map(m => m.profile));
  const sources: string[] = [];
  /** Flags that a source has of its own. */
  const own: Record<string, readonly string[]> = {};
  const add = (name: string, text: Uint8Array): void => {
    files.set(name, text);
    sources.push(name);
  };
  if (several) add('model.c', utf8(pickerText(c.prefix, commentText(head), levels)));
  modules.forEach((m, i) => {
    const level = must(levels[i]);
    const bytes = weights[i];
    // Levels that pack their weights alike share them.
    const first = bytes ? weights.findIndex(w => w !== undefined && equalBytes(w, bytes)) : -1;
    const suffix = several ? `-${m.profile.name}` : '';
    const source = `model${suffix}.c`;
    add(source, utf8(several ? levelText(c.prefix, level, levels[first], m.artifact.source) : m.artifact.source));
    if (several && m !== base) own[source] = m.profile.toolchain.flags;
    if (!bytes || first !== i) return;
    const symbol = `${c.prefix}_weights${several ? level.suffix : ''}`;
    const asArray = bytes.length <= (b.options.embedBelow ?? profile.memory.embedBelow);
    if (asArray) add(`weights${suffix}.c`, arrayText(symbol, bytes));
    else {
      const file = `model${suffix}.weights`;
      add(`weights${suffix}.S`, utf8(assembly(symbol, profile.memory.align, bytes.length, file)));
      files.set(file, bytes);
    }
  });
  if (pooled) sources.push('pool.c');
  if (pooled) for (const [name, text] of Object.entries(POOL)) files.set(name, utf8(text));
  const { shared, addon, program: main } = productsOf(profile.toolchain.system);
  if (main !== undefined) files.set('main.c', utf8(runnerText(program, c.arena, profile.threads)));
  if (shared) files.set('model.py', utf8(pythonText(program, head, c.arena, profile, shared.file)));
  const digests = await Promise.all(weights.map(async w => w && (await sha256(w))));
  const id = (await sha256(utf8([c.header, ...modules.map((m, i) => `${m.artifact.source}${digests[i] ?? ''}`)].join('')))).slice(
    0,
    16,
  );
  if (shared) for (const [name, text] of wheelFiles(program, head, id, shared.file)) files.set(name, utf8(text));
  if (addon) {
    const binding = bindingOf(program, profile, c, id, addon.file);
    files.set('node.c', utf8(binding.source));
    files.set('index.js', utf8(indexJs(head, addon.loader, [binding.module], b.labels, b.rows)));
    const { inputs, outputs, symbols } = program;
    files.set('index.d.ts', utf8(indexDts(head, addon.loader, inputs, outputs, symbols, b.labels, b.rows)));
    files.set('package.json', utf8(packageJson(program.name)));
    if (addon.loader === EMNAPI_LOADER) files.set('emnapi-runtime.js', utf8(EMNAPI_RUNTIME));
  }
  files.set('Makefile', utf8(makefile(profile, sources, own)));
  if (main !== undefined) files.set('CMakeLists.txt', utf8(cmake(c.prefix, profile, sources, own)));
  files.set(
    'manifest.json',
    utf8(
      `${JSON.stringify(
        {
          ...aboutModel(
            b,
            program,
            modules.map(m => m.profile),
          ),
          native: {
            prefix: c.prefix,
            cc: profile.toolchain.cc,
            arena: c.arena,
            weights: { bytes: weights[0]?.length ?? 0, ...(digests[0] !== undefined && { sha256: digests[0] }) },
            sources,
            system: profile.toolchain.system,
            flags: flagsOf(profile),
            ...(several && { own }),
          },
        },
        null,
        2,
      )}\n`,
    ),
  );
  files.set('README.md', utf8(readme(program, profile, c, head, several ? undefined : sources, b.rows)));
  return files;
}

/** What the levels of a processor have in common: all take the same memory, that of the greediest. */
function together(modules: readonly CModule[], head: string): CResult {
  const arena = Math.max(...modules.map(m => m.artifact.arena));
  const headers = modules.map(({ program, profile }) =>
    headerText({ head, program, names: namesOf(program), arena, align: profile.memory.align, threads: profile.threads }),
  );
  const [header, ...others] = headers;
  if (header === undefined || others.some(h => h !== header))
    throw new InternalError('the levels of a processor differ in their headers');
  return { ...must(modules[0]).artifact, header, arena };
}

/** Weights as numbers of one byte each: every compiler reads them, but large ones take long. */
function arrayText(symbol: string, bytes: Uint8Array): Uint8Array {
  const head = utf8(
    `#include <stdint.h>\n#if defined(__GNUC__)\n__attribute__((aligned(64)))\n#endif\nconst uint8_t ${symbol}[${bytes.length}] = {\n`,
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
/** weights.S: puts a file of weights into the object file. */
export const assembly = (
  symbol: string,
  align: number,
  bytes: number,
  file: string,
): string => `/* The weights, as they are in ${file}. */
#if defined(__APPLE__)
.section __TEXT,__const
#define NAME _${symbol}
#else
#define NAME ${symbol}
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
.incbin "${file}"
`;
/** `sources`: where one command builds them all. */
function readme(
  program: Program,
  profile: Profile,
  c: CResult,
  head: string,
  sources: readonly string[] | undefined,
  rows: ModelInfo['rows'],
): string {
  const n = c.prefix;
  const { addon, program: main, shared } = productsOf(profile.toolchain.system);
  const list = (ports: typeof program.inputs): string =>
    ports.map(p => `\`${commentText(p.name)}\` ${p.type.dtype} [${p.type.shape.map(showDim).join(', ')}]`).join(', ') || 'none';
  const build = sources && [profile.toolchain.cc, ...flagsOf(profile), 'main.c', ...sources, '-lm -o model'].join(' ');
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
${build === undefined ? '' : `${build}    # the same by hand\n`}\`\`\`

With CMake: \`add_subdirectory(FOLDER)\`, \`target_link_libraries(APPLICATION ${n}::model)\` and \`#include <${n}/model.h>\`.`,
        ]),
    ...(addon
      ? [
          `From JavaScript (\`make ${addon.file}\`), as a bundle for WebAssembly:\n${usage(addon.loader, program.inputs, program.outputs, rows)}`,
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
