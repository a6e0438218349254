import { commentBlock } from '../../core/quote.ts';
import type { Profile, ProfileData } from '../../target/profile.ts';
import { FINDERS } from '../../backend/c/emit.ts';
import { identifier } from '../../backend/c/types.ts';

/**
 * Function multiversioning: one library for several kinds of a processor. Each version of the model is a source, whose names end with that of
 * its profile; one more source, the dispatcher, calls the best that the processor runs. The last version is for all that the others are not for.
 */
interface Version {
  readonly profile: Profile;
  /** What stands behind the names of this version. */
  readonly suffix: string;
}
export const versionsOf = (profiles: readonly Profile[]): readonly Version[] =>
  profiles.map(profile => ({ profile, suffix: `_${identifier(profile.name)}` }));

/** The source of a version, with its names. */
export function versionText(n: string, version: Version, source: string): string {
  const renamed = [
    ...functionsOf(n, version.profile).map(f => f.name),
    ...['error', 'prepare', ...FINDERS].map(f => `${n}_${f}`),
  ].map(name => [name, name + version.suffix]);
  return `${renamed.map(([from, to]) => `#define ${from} ${to}\n`).join('')}\n${source}`;
}

/** The dispatcher. GCC and Clang keep what the processor has from when the program was loaded: asking is a test of bits. */
export function dispatcherText(n: string, head: string, versions: readonly Version[], prepares: readonly boolean[]): string {
  const [base, better] = [versions.at(-1), versions.slice(0, -1)];
  if (!base) return '';
  const functions = functionsOf(n, base.profile);
  const declare = (l: Version): string =>
    functions.map(f => `int ${f.name}${l.suffix}(${f.params});\n`).join('') +
    (prepares[versions.indexOf(l)] === true ? `int ${n}_prepare${l.suffix}(${PREPARE.params});\n` : '') +
    `const char *${n}_error${l.suffix}(int code);\n`;
  const prepare = (l: Version): string =>
    prepares[versions.indexOf(l)] === true ? `${n}_prepare${l.suffix}(${PREPARE.args})` : `${n}_OK`;
  const calls = (f: { readonly name: string; readonly args: string }): string =>
    [
      ...better.map(l => `  if (has${l.suffix}()) return ${f.name}${l.suffix}(${f.args});`),
      `  return ${f.name}${base.suffix}(${f.args});`,
    ].join('\n');
  return `/* ${commentBlock(head)} */
#include "model.h"

${versions.map(declare).join('')}
${better.map(l => `static int has${l.suffix}(void) { return ${isHere(l.profile)}; }\n`).join('')}
${functions.map(f => `int ${f.name}(${f.params}) {\n${calls(f)}\n}\n`).join('')}${
    prepares.includes(true)
      ? `int ${n}_prepare(${PREPARE.params}) {
${better.map(l => `  if (has${l.suffix}()) return ${prepare(l)};\n`).join('')}${
          prepares.every(x => x)
            ? ''
            : PREPARE.args
                .split(', ')
                .map(x => `  (void)${x};\n`)
                .join('')
        }  return ${prepare(base)};
}
`
      : ''
  }
const char *${n}_error(int code) { return ${n}_error${base.suffix}(code); }
`;
}
const PREPARE = {
  params: 'void *memory, size_t memory_bytes, void *arena, size_t arena_bytes',
  args: 'memory, memory_bytes, arena, arena_bytes',
};
/** A C expression: whether the processor has what is compiled for the profile. */
export const isHere = ({ toolchain }: ProfileData): string =>
  toolchain.cpu.map(f => `__builtin_cpu_supports("${f}")`).join(' && ') || '1';
/** The functions of a model that do its work. */
function functionsOf(
  n: string,
  p: Profile,
): readonly { readonly name: string; readonly params: string; readonly args: string }[] {
  const params = `const ${n}_inputs *inputs, const ${n}_outputs *outputs, void *arena, size_t arena_bytes`;
  const args = 'inputs, outputs, arena, arena_bytes';
  return [
    { name: `${n}_run`, params, args },
    ...(p.threads > 1 ? [{ name: `${n}_run_on`, params: `sinter_pool *pool, ${params}`, args: `pool, ${args}` }] : []),
  ];
}
