import { must } from '../../core/diagnostic.ts';
import { rangeOf, showDim } from '../../core/dim.ts';
import type { RowsOfFeatures } from '../../import/model.ts';
import type { CompileOptions, Report } from '../../options.ts';
import type { Profile } from '../../target/profile.ts';
import type { Port, Program } from '../../program/program.ts';
import { VERSION } from '../../core/version.data.ts';
import { indexDts } from './dts.ts';
import { besideIndex, indexJs, type IndexModule } from './index-js.ts';
import { moduleReport, portReport } from './manifest.ts';
import { needsOf, sampleSum, sha256, weightsOf, withId, type CompiledModule } from './module.ts';
import { demoHtml, packageJson, readme } from './page.ts';
import { RUNTIME } from './runtime.data.ts';

export type { CompiledModule } from './module.ts';
export { moduleReport, portReport } from './manifest.ts';
export { sha256, weightsOf } from './module.ts';

/** What a bundle is made from. */
export interface BundleInput {
  /** Best first: index.js takes the first that the engine runs. All are the same model. */
  readonly modules: readonly CompiledModule[];
  readonly target: string;
  readonly source: Report['source'];
  readonly operators: Report['operators'];
  readonly macs: number | undefined;
  readonly trees?: Report['trees'];
  /** Names of the passes that ran, in order. */
  readonly passes: readonly string[];
  readonly options: Pick<CompileOptions, 'dims' | 'embedBelow' | 'format' | 'iterations' | 'outputs' | 'treeStrategy'>;
  readonly labels?: readonly string[] | undefined;
  /** The input that takes rows of features. */
  readonly rows?: RowsOfFeatures | undefined;
}

const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);

/**
 * The files of a bundle by name. The same input gives the same bytes. E301 where a symbol cannot be told from the inputs' sizes.
 */
export async function makeBundle(b: BundleInput): Promise<Map<string, Uint8Array>> {
  const { program } = must(b.modules[0], 'module');
  const { inputs, outputs, symbols } = program;
  const out = new Map<string, Uint8Array>();
  const modules = await moduleFiles(b.modules, out);
  const head = `${program.name}: compiled by Sinter ${VERSION} for ${b.target} from ${b.source.file}`;
  const files = new Map<string, Uint8Array>([
    ['index.js', utf8(indexJs(head, 'wasm', modules.map(indexModule), b.labels, b.rows))],
    ['index.d.ts', utf8(indexDts(head, 'wasm', inputs, outputs, symbols, b.labels, b.rows))],
    ...out,
    ['manifest.json', utf8(`${JSON.stringify(await manifest(b, modules, out), null, 2)}\n`)],
    ['demo.html', utf8(demoHtml(program.name, head))],
    ['demo.js', utf8(RUNTIME['demo.js'])],
    ['package.json', utf8(packageJson(program.name))],
    ['README.md', utf8(readme(program.name, head, inputs, outputs, b.rows))],
  ]);
  return files;
}

/** A module and its files. */
interface ModuleFiles {
  readonly module: CompiledModule;
  /** In the custom section of the module. */
  readonly id: string;
  readonly wasm: string;
  /** Absent where the weights are inside. */
  readonly weights: { readonly file: string; readonly bytes: number; readonly sum: number } | undefined;
}
function indexModule({ module, id, wasm, weights }: ModuleFiles): IndexModule {
  const { program, plan, profile } = module;
  const at = (x: Port): number => must(plan.offsets.get(x.slot), `offset of ${x.name}`);
  const files = [wasm, ...(weights ? [weights.file] : [])];
  const more = `needs: ${JSON.stringify(needsOf(profile))},
      files: ${JSON.stringify(files)}, wasm: ${besideIndex(wasm)},
      ${weights ? `base: ${plan.base}, bytes: ${weights.bytes}, sum: ${weights.sum}, weights: ${besideIndex(weights.file)},` : 'bytes: 0,'}`;
  return { program, profile, id, inputs: program.inputs.map(at), outputs: program.outputs.map(at), more };
}
/** Puts modules and weights into `out`; modules whose weights are equal share a file, and no more than one copy of it is held. */
async function moduleFiles(modules: readonly CompiledModule[], out: Map<string, Uint8Array>): Promise<ModuleFiles[]> {
  const many = modules.length > 1;
  const blobs = new Map<string, { readonly owner: string; readonly bytes: Uint8Array }>();
  const digests: string[] = [];
  for (const m of modules) {
    const bytes = m.embedded || m.plan.weightsBytes === 0 ? undefined : weightsOf(m.program, m.plan);
    const digest = bytes ? await sha256(bytes) : '';
    if (bytes && !blobs.has(digest)) blobs.set(digest, { owner: m.profile.name, bytes });
    digests.push(digest);
  }
  const result: ModuleFiles[] = [];
  for (const [i, m] of modules.entries()) {
    const wasm = many ? `model.${m.profile.name}.wasm` : 'model.wasm';
    const digest = digests[i] ?? '';
    const blob = blobs.get(digest);
    const file = blobs.size === 1 ? 'model.weights' : `model.${blob?.owner ?? ''}.weights`;
    const id = (await sha256(utf8(`${await sha256(m.wasm)}${digest}`))).slice(0, 16);
    out.set(wasm, withId(m.wasm, id));
    if (blob) out.set(file, blob.bytes);
    result.push({ module: m, id, wasm, weights: blob && { file, bytes: blob.bytes.length, sum: sampleSum(blob.bytes) } });
  }
  return result;
}

/** What the manifest of any bundle says of the model. */
export const aboutModel = (b: Omit<BundleInput, 'modules'>, program: Program, profiles: readonly Profile[]): object => ({
  sinter: VERSION,
  name: program.name,
  target: b.target,
  source: b.source,
  options: b.options,
  inputs: program.inputs.map(p => ({ ...portReport(p), sizes: freeSizes(p) })),
  outputs: program.outputs.map(portReport),
  symbols: program.symbols,
  ...(b.labels && { labels: b.labels }),
  ...(b.rows && { rows: { input: b.rows.input }, featureNames: featureNames(b.rows) }),
  ...(b.trees && { trees: b.trees }),
  operators: b.operators,
  macs: b.macs ?? null,
  passes: b.passes,
  profiles: Object.fromEntries(profiles.map(p => [p.name, p])),
});
async function manifest(
  b: BundleInput,
  modules: readonly ModuleFiles[],
  files: ReadonlyMap<string, Uint8Array>,
): Promise<unknown> {
  const { program } = must(b.modules[0], 'module');
  const file = async (name: string | undefined): Promise<object> => {
    const bytes = name === undefined ? undefined : files.get(name);
    return bytes ? { file: name, bytes: bytes.length, sha256: await sha256(bytes) } : { file: null };
  };
  return {
    ...aboutModel(
      b,
      program,
      b.modules.map(m => m.profile),
    ),
    modules: await Promise.all(
      modules.map(async m => {
        const r = moduleReport(m.module);
        return {
          profile: r.profile,
          wasm: await file(m.wasm),
          weights: { ...(await file(m.weights?.file)), bytes: r.weights },
          arena: r.arena,
          kernels: r.kernels,
          steps: r.steps,
          code: r.code,
        };
      }),
    ),
  };
}
const featureNames = (r: RowsOfFeatures): readonly string[] => r.names ?? Array.from({ length: r.columns }, (_, i) => `f${i}`);
/** The dimensions of an input that may vary: their bounds, and the step between sizes that are allowed. */
function freeSizes(p: Port): object[] {
  return p.type.shape.flatMap((d, axis) => {
    if (typeof d === 'number') return [];
    const { lo, hi } = rangeOf(d);
    const step = d.terms.map(t => Math.abs(t.coef)).reduce(gcd);
    // A first try for a page: one of a batch, some of a length.
    const start = axis === 0 && lo <= 1 ? Math.max(1, lo) : lo + Math.floor((Math.min(hi, Math.max(lo, 64)) - lo) / step) * step;
    return [{ axis, dim: showDim(d), min: lo, max: hi, step, start: Math.min(start, hi) }];
  });
}
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
