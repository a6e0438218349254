import type { Profile } from '../../target/profile.ts';
import { ADDON_LOADER, EMNAPI_LOADER, type Loader } from '../js/loaders.ts';

/** What every source of a bundle is compiled with: arithmetic as it stands, and nothing that assumes less than C says. */
const FLAGS = ['-O3', '-ffp-contract=off', '-fno-math-errno'];
/** All flags for a profile; its own come last, so that they prevail. */
export const flagsOf = (p: Profile): readonly string[] => [
  ...FLAGS,
  ...(p.threads > 1 ? ['-pthread'] : []),
  ...p.toolchain.flags,
];

/** The source of a library whose weights lie in a file beside it. */
export const BESIDE_SOURCE = 'beside.c';
/** The sources of a model. */
export interface Sources {
  /** Of a library that holds all of it. */
  readonly sources: readonly string[];
  /** Of the shared library, where all else that is built loads that one, so that there is one copy of the weights. */
  readonly shared?: readonly string[];
}

/** What the linker makes of the objects, and what it is told. */
interface Linked {
  readonly file: string;
  readonly flags: readonly string[];
}
/** What a bundle is built into on a system. */
interface Products {
  readonly archive?: string;
  /** The library that programs load at run time; none where a program is all there is. */
  readonly shared?: Linked;
  /** What index.js loads, with the part of index.js that does: the model and its binding to Node-API (node.c). */
  readonly addon?: Linked & { readonly loader: Loader };
  /** Its flags are for a program that loads the library beside it. */
  readonly program?: Linked;
  /** What objects are compiled with besides, so that all libraries can be made of them. */
  readonly objectFlags: readonly string[];
}
export function productsOf(system: Profile['toolchain']['system']): Products {
  const archive = 'libmodel.a';
  const node = { file: 'model.node', loader: ADDON_LOADER };
  switch (system) {
    case 'unix':
      return {
        archive,
        // A model may be called as a library that Node holds: its names are its own.
        shared: { file: 'libmodel.so', flags: ['-shared', '-Wl,-Bsymbolic'] },
        addon: { ...node, flags: ['-shared', '-Wl,-Bsymbolic'] },
        program: { file: 'model', flags: ["-Wl,-rpath,'$$ORIGIN'"] },
        objectFlags: ['-fPIC'],
      };
    case 'macos':
      return {
        archive,
        shared: { file: 'libmodel.dylib', flags: ['-dynamiclib', '-install_name', '@rpath/libmodel.dylib'] },
        addon: { ...node, flags: ['-bundle', '-undefined', 'dynamic_lookup'] },
        program: { file: 'model', flags: ['-Wl,-rpath,@loader_path'] },
        objectFlags: ['-fPIC'],
      };
    case 'windows':
      return {
        archive,
        shared: { file: 'model.dll', flags: ['-shared', '-Wl,--out-implib,model.lib'] },
        addon: { ...node, flags: ['-shared'] },
        program: { file: 'model.exe', flags: [] },
        objectFlags: [],
      };
    case 'emnapi':
      return {
        addon: { file: 'model.wasm', flags: ['-O0', '-nostartfiles', ...WASM_ADDON.map(f => `-Wl,${f}`)], loader: EMNAPI_LOADER },
        objectFlags: [],
      };
    case 'bare':
      return { archive, program: { file: 'model', flags: [] }, objectFlags: [] };
  }
}
/**
 * What emnapi calls of a module; and a stack at whose end the module traps. Where Clang links with optimization, it runs whatever wasm-opt is in
 * PATH: with -O0 it does not.
 */
const WASM_ADDON = [
  '--no-entry',
  '--import-undefined',
  '--export=napi_register_wasm_v1',
  '--export=malloc',
  '--export=free',
  '--export-table',
  '--strip-all',
  '--stack-first',
  '-z,stack-size=1048576',
];

/** What the linker makes of a model for a system, each with its sources: those that it has alone, and those of the model that are in it. */
export const linkedOf = (
  { shared, addon }: Products,
  s: Sources,
): readonly (Linked & {
  readonly own: readonly string[];
  readonly model: readonly string[];
  readonly libs: readonly string[];
})[] => {
  const libs = ['-lm'];
  // Where the library is found, so that the weights beside it are: a part of the C library since glibc 2.34.
  const finds = s.shared?.includes(BESIDE_SOURCE) === true && shared?.file.endsWith('.so') === true ? ['-ldl'] : [];
  return [
    ...(shared ? [{ ...shared, own: [], model: s.shared ?? s.sources, libs: [...libs, ...finds] }] : []),
    ...(addon ? [{ ...addon, own: ['node.c'], model: s.shared ? [] : s.sources, libs }] : []),
  ];
};
/** The object file of a source. */
export const objectOf = (source: string): string => source.replace(/\.[cS]$/, '.o');

/** A program of the binutils that belong to a compiler: arm-none-eabi-gcc has arm-none-eabi-size. */
export const toolOf = (cc: string, tool: string): string => {
  const cross = /^(.*-)(?:gcc|clang|cc)(?:-[\d.]+)?$/.exec(cc);
  return `${cross?.[1] ?? ''}${tool}`;
};
