import type { Profile } from '../../ops/profile.ts';

/** What every source of a bundle is compiled with: arithmetic as it stands, and nothing that assumes less than C says. */
export const FLAGS = ['-O3', '-ffp-contract=off', '-fno-math-errno'];
/** All flags for a profile; its own come last, so that they prevail. */
export const flagsOf = (p: Profile): readonly string[] => [...FLAGS, ...p.toolchain.flags];

/** What a bundle is built into on a system. */
export interface Products {
  readonly archive: string;
  /** The library that programs load at run time, and what makes the linker write one; none where a program is all there is. */
  readonly shared?: { readonly file: string; readonly flags: readonly string[] };
  readonly program: string;
  /** What objects are compiled with besides, so that both libraries can be made of them. */
  readonly objectFlags: readonly string[];
}
export function productsOf(system: Profile['toolchain']['system']): Products {
  const archive = 'libmodel.a';
  switch (system) {
    case 'unix':
      return { archive, shared: { file: 'libmodel.so', flags: ['-shared'] }, program: 'model', objectFlags: ['-fPIC'] };
    case 'macos':
      return { archive, shared: { file: 'libmodel.dylib', flags: ['-dynamiclib'] }, program: 'model', objectFlags: ['-fPIC'] };
    case 'windows':
      return {
        archive,
        shared: { file: 'model.dll', flags: ['-shared', '-Wl,--out-implib,model.lib'] },
        program: 'model.exe',
        objectFlags: [],
      };
    case 'bare':
      return { archive, program: 'model', objectFlags: [] };
  }
}

/** A program of the binutils that belong to a compiler: arm-none-eabi-gcc has arm-none-eabi-size. */
export const toolOf = (cc: string, tool: string): string => {
  const cross = /^(.*-)(?:gcc|clang|cc)(?:-[\d.]+)?$/.exec(cc);
  return `${cross?.[1] ?? ''}${tool}`;
};
