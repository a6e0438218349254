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
  readonly program?: string;
  /** What objects are compiled with besides, so that all libraries can be made of them. */
  readonly objectFlags: readonly string[];
}
export function productsOf(system: Profile['toolchain']['system']): Products {
  const [archive, program] = ['libmodel.a', 'model'];
  const node = { file: 'model.node', loader: ADDON_LOADER };
  switch (system) {
    case 'unix':
      return {
        archive,
        shared: { file: 'libmodel.so', flags: ['-shared'] },
        // A model may be called as a library that Node holds: its names are its own.
        addon: { ...node, flags: ['-shared', '-Wl,-Bsymbolic'] },
        program,
        objectFlags: ['-fPIC'],
      };
    case 'macos':
      return {
        archive,
        shared: { file: 'libmodel.dylib', flags: ['-dynamiclib'] },
        addon: { ...node, flags: ['-bundle', '-undefined', 'dynamic_lookup'] },
        program,
        objectFlags: ['-fPIC'],
      };
    case 'windows':
      return {
        archive,
        shared: { file: 'model.dll', flags: ['-shared', '-Wl,--out-implib,model.lib'] },
        addon: { ...node, flags: ['-shared'] },
        program: 'model.exe',
        objectFlags: [],
      };
    case 'emnapi':
      return {
        addon: { file: 'model.wasm', flags: ['-O0', '-nostartfiles', ...WASM_ADDON.map(f => `-Wl,${f}`)], loader: EMNAPI_LOADER },
        objectFlags: [],
      };
    case 'bare':
      return { archive, program, objectFlags: [] };
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

/** What the linker makes for a system, each with the sources that it has alone. */
export const linkedOf = ({ shared, addon }: Products): readonly (Linked & { readonly own: readonly string[] })[] => [
  ...(shared ? [{ ...shared, own: [] }] : []),
  ...(addon ? [{ ...addon, own: ['node.c'] }] : []),
];
/** The object file of a source. */
export const objectOf = (source: string): string => source.replace(/\.[cS]$/, '.o');

/** A program of the binutils that belong to a compiler: arm-none-eabi-gcc has arm-none-eabi-size. */
export const toolOf = (cc: string, tool: string): string => {
  const cross = /^(.*-)(?:gcc|clang|cc)(?:-[\d.]+)?$/.exec(cc);
  return `${cross?.[1] ?? ''}${tool}`;
};
