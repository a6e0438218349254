import { commentLine } from '../../core/quote.ts';
import type { Profile } from '../../target/profile.ts';
import { BESIDE_SOURCE, flagsOf, linkedOf, objectOf, productsOf, toolOf, type Sources } from './toolchain.ts';

/** Flags that some sources have besides those of all. */
export type OwnFlags = Readonly<Record<string, readonly string[]>>;
/** The Makefile of a bundle. */
export function makefile(profile: Profile, s: Sources, own: OwnFlags): string {
  const products = productsOf(profile.toolchain.system);
  const { archive, shared, addon, program, objectFlags } = products;
  const linked = linkedOf(products, s);
  const once = s.shared !== undefined;
  const files = [archive, ...linked.map(l => l.file), program?.file].filter(f => f !== undefined);
  // Without shared libraries there is no telling how a program is made.
  const all = files.filter(f => (shared ? !once || f !== archive : f !== program?.file));
  const model = once && shared ? shared.file : archive;
  const compile = (more: readonly string[]): string => ['$(CC) $(CFLAGS)', ...more, ...objectFlags, '-c $< -o $@'].join(' ');
  const rule = (file: string, needs: string, command: string): string => `${file}: ${needs}\n\t${command}\n`;
  const link = (flags: readonly string[], objects: string, libs: readonly string[] = ['-lm']): string =>
    ['$(CC) $(CFLAGS)', ...flags, '-o $@', objects, ...libs].join(' ');
  const rules = [
    ...(archive === undefined ? [] : [rule(archive, '$(OBJECTS)', '$(AR) rcs $@ $(OBJECTS)')]),
    ...linked.map(({ file, flags, own, model, libs }) => {
      const inside = model.length === 0 ? [] : [model === s.shared ? '$(SHARED)' : '$(OBJECTS)'];
      const objects = [...own.map(objectOf), ...inside].join(' ');
      return rule(file, model.length > 0 || !shared ? objects : `${objects} ${shared.file}`, link(flags, objects, libs));
    }),
    ...(program && model !== undefined
      ? [rule(program.file, `main.o ${model}`, link(['$(LDFLAGS)', ...(once ? program.flags : [])], `main.o ${model}`))]
      : []),
    ...(addon ? [`node: ${addon.file}\n`] : []),
    // The one object with a copy of the weights; others may be of use again.
    ...(once
      ? [
          `.INTERMEDIATE: ${s.sources
            .filter(x => x.endsWith('.S'))
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
OBJECTS = ${s.sources.map(objectOf).join(' ')}
${s.shared ? `# ${s.shared.includes(BESIDE_SOURCE) ? 'The shared library reads the weights from the file beside it; to have them inside: make SHARED="$(OBJECTS)"' : 'What the shared library is made of.'}\nSHARED = ${s.shared.map(objectOf).join(' ')}\n` : ''}
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
