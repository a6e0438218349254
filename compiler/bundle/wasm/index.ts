import type { CompiledModule } from '../../backend/backend.ts';
import type { WasmArtifact } from '../../backend/wasm/index.ts';
import { sha256, utf8 } from '../../core/bytes.ts';
import { must } from '../../core/diagnostic.ts';
import { quoteJs } from '../../core/quote.ts';
import { VERSION } from '../../core/version.data.ts';
import type { Port } from '../../program/program.ts';
import { weightsOf } from '../../program/weights.ts';
import { aboutModel, type ModelInfo } from '../about.ts';
import { indexDts } from '../js/dts.ts';
import { besideIndex, indexJs, type IndexModule } from '../js/index-js.ts';
import { THREADS_LOADER, WASM_LOADER, WORKER_JS } from '../js/loaders.ts';
import { demoHtml, packageJson, readme } from '../js/page.ts';
import { RUNTIME } from '../js/runtime.data.ts';
import { needsOf, sampleSum, withId } from './module.ts';

type WasmModule = CompiledModule<WasmArtifact>;

/**
 * The files of a bundle by name. The same input gives the same bytes. E301 where a symbol cannot be told from the inputs' sizes.
 */
export async function wasmBundle(compiled: readonly WasmModule[], b: ModelInfo): Promise<Map<string, Uint8Array>> {
  const { program } = must(compiled[0], 'module');
  const { inputs, outputs, symbols } = program;
  const out = new Map<string, Uint8Array>();
  const modules = await moduleFiles(compiled, out);
  const threaded = compiled.some(m => m.profile.threads > 1);
  const loader = threaded ? THREADS_LOADER : WASM_LOADER;
  const head = `${program.name}: compiled by Sinter ${VERSION} for ${b.target} from ${b.source.file}`;
  const files = new Map<string, Uint8Array>([
    ['index.js', utf8(indexJs(head, loader, modules.map(indexModule), b.labels, b.rows))],
    ['index.d.ts', utf8(indexDts(head, loader, inputs, outputs, symbols, b.labels, b.rows))],
    ...(threaded ? [[WORKER_JS, utf8(RUNTIME['worker.min.js'])] as const] : []),
    ...out,
    ['manifest.json', utf8(`${JSON.stringify(await manifest(b, modules, out), null, 2)}\n`)],
    ['demo.html', utf8(demoHtml(program.name, head))],
    ['demo.js', utf8(RUNTIME['demo.js'])],
    ['package.json', utf8(packageJson(program.name))],
    ['README.md', utf8(readme(program.name, head, loader, inputs, outputs, b.rows))],
  ]);
  return files;
}

/** A module and its files. */
interface ModuleFiles {
  readonly module: WasmModule;
  /** In the custom section of the module. */
  readonly id: string;
  readonly wasm: string;
  /** Absent where the weights are inside. */
  readonly weights: { readonly file: string; readonly bytes: number; readonly sum: number } | undefined;
}
function indexModule({ module, id, wasm, weights }: ModuleFiles): IndexModule {
  const { program, plan, profile } = module;
  const { pages } = module.artifact;
  const at = (x: Port): number => must(plan.offsets.get(x.slot), `offset of ${x.name}`);
  const files = [wasm, ...(weights ? [weights.file] : [])];
  const more = `needs: ${quoteJs(needsOf(profile))},${profile.vector.intDot.startsWith('i8') ? ' exact: true,' : ''}
      ${pages === undefined ? '' : `pages: ${pages}, threads: ${profile.threads}, `}files: ${quoteJs(files)}, wasm: ${besideIndex(wasm)},
      ${weights ? `base: ${plan.base}, bytes: ${weights.bytes}, sum: ${weights.sum}, weights: ${besideIndex(weights.file)},` : 'bytes: 0,'}`;
  return { program, profile, id, inputs: program.inputs.map(at), outputs: program.outputs.map(at), more };
}
/** Puts modules and weights into `out`; modules whose weights are equal share a file, and no more than one copy of it is held. */
async function moduleFiles(modules: readonly WasmModule[], out: Map<string, Uint8Array>): Promise<ModuleFiles[]> {
  const many = modules.length > 1;
  const blobs = new Map<string, { readonly owner: string; readonly bytes: Uint8Array }>();
  const digests: string[] = [];
  for (const m of modules) {
    const { outside } = m.artifact;
    const bytes = outside === 0 ? undefined : weightsOf(m.program, m.plan).subarray(0, outside);
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
    const id = (await sha256(utf8(`${await sha256(m.artifact.bytes)}${digest}`))).slice(0, 16);
    out.set(wasm, withId(m.artifact.bytes, id));
    if (blob) out.set(file, blob.bytes);
    result.push({ module: m, id, wasm, weights: blob && { file, bytes: blob.bytes.length, sum: sampleSum(blob.bytes) } });
  }
  return result;
}

async function manifest(b: ModelInfo, modules: readonly ModuleFiles[], files: ReadonlyMap<string, Uint8Array>): Promise<unknown> {
  const { program } = must(modules[0], 'module').module;
  const file = async (name: string | undefined): Promise<object> => {
    const bytes = name === undefined ? undefined : files.get(name);
    return bytes ? { file: name, bytes: bytes.length, sha256: await sha256(bytes) } : { file: null };
  };
  return {
    ...aboutModel(
      b,
      program,
      modules.map(m => m.module.profile),
    ),
    modules: await Promise.all(
      modules.map(async m => {
        const r = m.module.report;
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
