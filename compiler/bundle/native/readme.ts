import type { CArtifact } from '../../backend/c/emit.ts';
import { namesOf } from '../../backend/c/names.ts';
import { must } from '../../core/diagnostic.ts';
import { showDim } from '../../core/dim.ts';
import { codeMarkdown, quoteMarkdown } from '../../core/quote.ts';
import type { Program } from '../../program/program.ts';
import type { Profile } from '../../target/profile.ts';
import type { ModelInfo } from '../about.ts';
import { usage } from '../js/page.ts';
import { flagsOf, productsOf } from './toolchain.ts';
import { packageName } from './wheel.ts';

/** README.md of a native bundle. `sources`: those that one command builds; `beside`: whether the weights lie in a file beside the shared library. */
export function readme(
  program: Program,
  profile: Profile,
  c: CArtifact,
  head: string,
  sources: readonly string[] | undefined,
  rows: ModelInfo['rows'],
  beside: boolean,
): string {
  const n = c.prefix;
  const names = namesOf(program);
  const { addon, program: main, shared } = productsOf(profile.toolchain.system);
  const list = (ports: typeof program.inputs): string =>
    ports.map(p => `${codeMarkdown(p.name)} ${p.type.dtype} [${p.type.shape.map(showDim).join(', ')}]`).join(', ') || 'none';
  const build = sources && [profile.toolchain.cc, ...flagsOf(profile), 'main.c', ...sources, '-lm -o model'].join(' ');
  const parts = [
    `# ${quoteMarkdown(program.name)}
${quoteMarkdown(head)}

model.h says how to call it from C: \`${n}_run(&inputs, &outputs, arena, sizeof arena)\`, with an arena of ${c.arena} bytes that the caller owns.
${
  c.prepared === 0
    ? 'It allocates nothing and keeps nothing between calls.'
    : `Weights are stored as small as the model has them; the first run prepares those that its kernels read in another form, for all threads, in ${c.prepared} bytes that it takes by malloc, or \`${n}_prepare\` does so before, in memory of yours. Nothing else is allocated or kept between calls.`
} ${profile.threads > 1 ? `\`${n}_run_on\` is the same with up to ${profile.threads} threads of a pool (pool.h). ` : ''}Inputs: ${list(program.inputs)}. Outputs: ${list(program.outputs)}.
manifest.json tells what was compiled, and how.`,
    ...(main === undefined
      ? []
      : [
          `\`\`\`sh
make && ./${main.file} ${program.inputs.map(p => `${must(names.inputs.get(p))}.npy`).join(' ')} --out .
${build === undefined ? '' : `${build}    # the same by hand\n`}\`\`\`

With CMake: \`add_subdirectory(FOLDER)\`, \`target_link_libraries(APPLICATION ${n}::model)\` and \`#include <${n}/model.h>\`.`,
        ]),
    ...(beside
      ? [
          `model.weights holds the weights, once for all: ${shared?.file ?? ''} maps them read-only from there, so keep the two in one folder. \`make libmodel.a\` and CMake put them inside of a library that needs no other file.`,
        ]
      : []),
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
