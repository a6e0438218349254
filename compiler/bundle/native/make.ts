import { commentLine } from '../../core/quote.ts';
import type { Profile } from '../../target/profile.ts';
import { flagsOf, linkedOf, objectOf, oneCopy, productsOf, toolOf } from './toolchain.ts';

/** Flags that some sources have besides those of all. */
export type OwnFlags = Readonly<Record<string, readonly string[]>>;
/** The Makefile of a bundle whose model is made of `sources`. */
export function makefile(profile: Profile, sources: readonly string[], own: OwnFlags): string {
  const products = productsOf(profile.toolchain.system);
  const { archive, shared, addon, program, objectFlags } = products;
  const linked = linkedOf(products, sources);
  const once = oneCopy(products, sources);
  const files = [archive, ...linked.map(l => l.file), program?.file].filter(f => f !== undefined);
  // Without shared libraries there is no telling how a program is made.
  const all = files.filter(f => (shared ? !once || f !== archive : f !== program?.file));
  const model = once && shared ? shared.file : archive;
  const compile = (more: readonly string[]): string => ['$(CC) $(CFLAGS)', ...more, ...objectFlags, '-c $< -o $@'].join(' ');
  const rule = (file: string, needs: string, command: string): string => `${file}: ${needs}\n\t${command}\n`;
  const link = (flags: readonly string[], objects: string): string =>
    ['$(CC) $(CFLAGS)', ...flags, '-o $@', objects, '-lm'].join(' ');
  const rules = [
    ...(archive === undefined ? [] : [rule(archive, '$(OBJECTS)', '$(AR) rcs $@ $(OBJECTS)')]),
    ...linked.map(({ file, flags, own, whole }) => {
      const objects = [...own.map(objectOf), ...(whole ? ['$(OBJECTS)'] : [])].join(' ');
      return rule(file, whole || !shared ? objects : `${objects} ${shared.file}`, link(flags, objects));
    }),
    ...(program && model !== undefined
      ? [rule(program.file, `main.o ${model}`, link(['$(LDFLAGS)', ...(once ? program.flags : [])], `main.o ${model}`))]
      : []),
    ...(addon ? [`node: ${addon.file}\n`] : []),
    ...(once
      ? [
          `.INTERMEDIATE: ${sources
            .filter(s => s.endsWith('.S'))
            .map(objectOf)
            .join(' ')}\n`,
        ]
      : []),
  ];
  const head = [
    ...(archive === undefined
      ? []
      : [once ? `the library, a static one with \`make ${archive}\`` : shared ? 'the libraries' : 'the library']),
    ...(addon ? ['what index.js loads'] : []),
    ...(program === undefined
      ? []
      : [
          `${shared ? '' : `with \`make ${program.file}\` and the LDFLAGS of a board, `}a program that runs the model on .npy files`,
        ]),
  ];
  return `# ${commentLine(profile.doc)}
# make: ${head.join('; ')}.
CC = ${profile.toolchain.cc}
AR = ${toolOf(profile.toolchain.cc, 'ar')}
CFLAGS = ${flagsOf(profile).join(' ')}
OBJECTS = ${sources.map(objectOf).join(' ')}

all: ${all.join(' ')}

${rules.join('')}
${Object.entries(own)
  .map(([source, flags]) => rule(objectOf(source), `${source} model.h`, compile(flags)))
  .join('')}%.o: %.c model.h
\t${compile([])}
%.o: %.S
\t${compile([])}

clean:
\trm -f *.o ${files.join(' ')}
.PHONY: all clean${addon ? ' node' : ''}
`;
}
