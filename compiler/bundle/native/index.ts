import { InternalError, must } from '../../core/diagnostic.ts';
import type { CompiledModule } from '../../backend/backend.ts';
import type { Profile } from '../../target/profile.ts';
import { weightsOf } from '../../program/weights.ts';
import { equalBytes, sha256, utf8 } from '../../core/bytes.ts';
import { aboutModel, type ModelInfo } from '../about.ts';
import { indexDts } from '../js/dts.ts';
import { indexJs } from '../js/index-js.ts';
import { EMNAPI_LOADER } from '../js/loaders.ts';
import { packageJson } from '../js/page.ts';
import { headOf, type CArtifact } from '../../backend/c/emit.ts';
import { EMNAPI_RUNTIME } from './binding.data.ts';
import { bindingOf, idText } from './binding.ts';
import { readme } from './readme.ts';
import { arrayText, assembly } from './weights.ts';
import { cmake } from './cmake.ts';
import { makefile, type OwnFlags } from './make.ts';
import { POOL } from './pool.data.ts';
import { headerText } from '../../backend/c/header.ts';
import { versionsOf, versionText, dispatcherText } from './multiversion.ts';
import { namesOf } from '../../backend/c/names.ts';
import { flagsOf, oneCopy, productsOf } from './toolchain.ts';
import { pythonText } from './python.ts';
import { runnerText } from './runner.ts';
import { wheelFiles } from './wheel.ts';

type CModule = CompiledModule<CArtifact>;

/**
 * The files of a native bundle by name: model.c, model.h, the weights, pool.c and pool.h (where it has threads), main.c (a program that
 * runs the model on .npy files), what JavaScript and Python need, a Makefile and CMakeLists.txt, manifest.json, README.md; less what the
 * target cannot have. The same input gives the same bytes.
 */
export async function nativeBundle(modules: readonly CModule[], b: ModelInfo): Promise<Map<string, Uint8Array>> {
  const base = must(modules.at(-1), 'module');
  const { program } = base;
  const several = modules.length > 1;
  const names = modules.map(m => m.profile.name);
  const profile = several
    ? { ...base.profile, name: b.target, doc: `the best that a processor runs of ${names.join(', ')}` }
    : base.profile;
  const head = headOf(program, profile.name, b.source.file);
  const c = several ? together(modules, head) : base.artifact;
  const weights = modules.map(m => (m.plan.weightsBytes > 0 ? weightsOf(m.program, m.plan) : undefined));
  const files = new Map<string, Uint8Array>([['model.h', utf8(c.header)]]);
  const put = (name: string, text: string): void => void files.set(name, utf8(text));
  const { sources, own } = modelSources(
    modules,
    weights,
    { head, prefix: c.prefix, profile, embedBelow: b.options.embedBelow },
    files,
  );
  if (profile.threads > 1) {
    sources.push('pool.c');
    for (const [name, text] of Object.entries(POOL)) put(name, text);
  }
  const products = productsOf(profile.toolchain.system);
  const { shared, addon, program: main } = products;
  if (main !== undefined) put('main.c', runnerText(program, c.arena, profile.threads));
  if (shared) put('model.py', pythonText(program, head, c.arena, profile, shared.file));
  const digests = await Promise.all(weights.map(async w => w && (await sha256(w))));
  const all = [c.header, ...modules.map((m, i) => `${m.artifact.source}${digests[i] ?? ''}`)].join('');
  const id = (await sha256(utf8(all))).slice(0, 16);
  if (shared) for (const [name, text] of wheelFiles(program, head, id, shared.file)) put(name, text);
  if (addon) {
    const { inputs, outputs, symbols } = program;
    const library = shared && oneCopy(products, sources) ? shared.file : undefined;
    if (library !== undefined) put('model.c', `${new TextDecoder().decode(files.get('model.c'))}${idText(c.prefix, id)}`);
    const binding = bindingOf(program, profile, c, id, { file: addon.file, library });
    put('node.c', binding.source);
    put('index.js', indexJs(head, addon.loader, [binding.module], b.labels, b.rows));
    put('index.d.ts', indexDts(head, addon.loader, inputs, outputs, symbols, b.labels, b.rows));
    put('package.json', packageJson(program.name));
    if (addon.loader === EMNAPI_LOADER) put('emnapi-runtime.js', EMNAPI_RUNTIME);
  }
  put('Makefile', makefile(profile, sources, own));
  if (main !== undefined) put('CMakeLists.txt', cmake(c.prefix, profile, sources, own));
  const profiles = modules.map(m => m.profile);
  const native = {
    prefix: c.prefix,
    cc: profile.toolchain.cc,
    arena: c.arena,
    weights: { bytes: weights[0]?.length ?? 0, ...(digests[0] !== undefined && { sha256: digests[0] }) },
    sources,
    system: profile.toolchain.system,
    flags: flagsOf(profile),
    ...(several && { own }),
  };
  put('manifest.json', `${JSON.stringify({ ...aboutModel(b, program, profiles), native }, null, 2)}\n`);
  put('README.md', readme(program, profile, c, head, several ? undefined : sources, b.rows));
  return files;
}

/** Puts the sources of the model and its weights into `files`: of several versions each, and the dispatcher. */
function modelSources(
  modules: readonly CModule[],
  weights: readonly (Uint8Array | undefined)[],
  o: { readonly head: string; readonly prefix: string; readonly profile: Profile; readonly embedBelow: number | undefined },
  files: Map<string, Uint8Array>,
): { readonly sources: string[]; readonly own: OwnFlags } {
  const { prefix, profile } = o;
  const several = modules.length > 1;
  const versions = versionsOf(modules.map(m => m.profile));
  const sources: string[] = [];
  const own: Record<string, readonly string[]> = {};
  const add = (name: string, text: Uint8Array): void => {
    files.set(name, text);
    sources.push(name);
  };
  if (several) add('model.c', utf8(dispatcherText(prefix, o.head, versions)));
  modules.forEach((m, i) => {
    const version = must(versions[i]);
    const bytes = weights[i];
    // Versions that pack their weights alike share them.
    const first = bytes ? weights.findIndex(w => w !== undefined && equalBytes(w, bytes)) : -1;
    const suffix = several ? `-${m.profile.name}` : '';
    const source = `model${suffix}.c`;
    const { source: text } = m.artifact;
    add(source, utf8(several ? versionText(prefix, version, versions[first], text) : text));
    if (several && i < modules.length - 1) own[source] = m.profile.toolchain.flags;
    if (!bytes || first !== i) return;
    const symbol = `${prefix}_weights${several ? version.suffix : ''}`;
    if (bytes.length <= (o.embedBelow ?? profile.memory.embedBelow)) add(`weights${suffix}.c`, arrayText(symbol, bytes));
    else {
      const file = `model${suffix}.weights`;
      add(`weights${suffix}.S`, utf8(assembly(symbol, profile.memory.align, bytes.length, file)));
      files.set(file, bytes);
    }
  });
  return { sources, own };
}

/** What the versions of a model have in common: all take the same memory, that of the greediest. */
function together(modules: readonly CModule[], head: string): CArtifact {
  const arena = Math.max(...modules.map(m => m.artifact.arena));
  const headers = modules.map(({ program, profile }) =>
    headerText({ head, program, names: namesOf(program), arena, align: profile.memory.align, threads: profile.threads }),
  );
  const [header, ...others] = headers;
  if (header === undefined || others.some(h => h !== header))
    throw new InternalError('the versions of a model differ in their headers');
  return { ...must(modules[0]).artifact, header, arena };
}
