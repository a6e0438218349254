import { commentLine } from '../../core/quote.ts';
import type { Profile } from '../../target/profile.ts';
import { flagsOf, linkedOf, objectOf, productsOf, toolOf } from './toolchain.ts';

/** Flags that some sources have besides those of all. */
export type OwnFlags = Readonly<Record<string, readonly string[]>>;
/** The Makefile of a bundle whose model is made of `sources`. */
export function makefile(profile: Profile, sources: readonly string[], own: OwnFlags): string {
  const products = productsOf(profile.toolchain.system);
  const { archive, shared, addon, program, objectFlags } = products;
  const linked = linkedOf(products);
  const files = [archive, ...linked.map(l => l.file), program].filter(f => f !== undefined);
  // Without shared libraries there is no telling how a program is made.
  const all = shared || program === undefined ? files : files.filter(f => f !== program);
  const compile = (more: readonly string[]): string => ['$(CC) $(CFLAGS)', ...more, ...objectFlags, '-c $< -o $@'].join(' ');
  const rule = (file: string, needs: string, command: string): string => `${file}: ${needs}\n\t${command}\n`;
  const link = (flags: readonly string[], objects: string): string =>
    ['$(CC) $(CFLAGS)', ...flags, '-o $@', objects, '-lm'].join(' ');
  const rules = [
    ...(archive === undefined ? [] : [rule(archive, '$(OBJECTS)', '$(AR) rcs $@ $(OBJECTS)')]),
    ...linked.map(({ file, flags, own }) => {
      const objects = [...own.map(objectOf), '$(OBJECTS)'].join(' ');
      return rule(file, objects, link(flags, objects));
    }),
    ...(archive === undefined || program === undefined
      ? []
      : [rule(program, `main.o ${archive}`, link(['$(LDFLAGS)'], `main.o ${archive}`))]),
    ...(addon ? [`node: ${addon.file}\n`] : []),
  ];
  const head = [
    ...(archive === undefined ? [] : [shared ? 'the libraries' : 'the library']),
    ...(addon ? ['what index.js loads'] : []),
    ...(program === undefined
      ? []
      : [`${shared ? '' : `with \`make ${program}\` and the LDFLAGS of a board, `}a program that runs the model on .npy files`]),
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
