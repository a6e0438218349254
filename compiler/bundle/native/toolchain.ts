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

/**
 * Whether a library that programs load is the one place of the weights, and all else that is built loads it: where they are large enough to have
 * a file of their own.
 */
export const oneCopy = ({ shared }: Products, sources: readonly string[]): boolean =>
  shared !== undefined && sources.some(s => s.endsWith('.S'));
/** What the linker makes of a model for a system, each with the sources that it has alone, and whether those of the model are in it. */
export const linkedOf = (
  products: Products,
  sources: readonly string[],
): readonly (Linked & { readonly own: readonly string[]; readonly whole: boolean })[] => {
  const { shared, addon } = products;
  return [
    ...(shared ? [{ ...shared, own: [], whole: true }] : []),
    ...(addon ? [{ ...addon, own: ['node.c'], whole: !oneCopy(products, sources) }] : []),
  ];
};
/** The object file of a source. */
export const objectOf = (source: string): string => source.replace(/\.[cS]$/, '.o');

/** A program of the binutils that belong to a compiler: arm-none-eabi-gcc has arm-none-eabi-size. */
export const toolOf = (cc: string, tool: string): string => {
  const cross = /^(.*-)(?:gcc|clang|cc)(?:-[\d.]+)?$/.exec(cc);
  return `${cross?.[1] ?? ''}${tool}`;
};
