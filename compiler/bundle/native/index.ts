import { InternalError, must } from '../../core/diagnostic.ts';
import type { CompiledModule } from '../../backend/backend.ts';
import type { Profile } from '../../target/profile.ts';
import { weightsOf } from '../../program/weights.ts';
import { sha256, utf8 } from '../../core/bytes.ts';
import { aboutModel, type ModelInfo } from '../about.ts';
import { indexDts } from '../js/dts.ts';
import { indexJs } from '../js/index-js.ts';
import { EMNAPI_LOADER } from '../js/loaders.ts';
import { packageJson } from '../js/page.ts';
import { FINDERS, headOf, type CArtifact } from '../../backend/c/emit.ts';
import { EMNAPI_RUNTIME } from './binding.data.ts';
import { bindingOf, idText } from './binding.ts';
import { readme } from './readme.ts';
import { arrayText, assembly, besideBytes, besideText, insideText, joinWeights, type Finder, type Weights } from './weights.ts';
import { cmake } from './cmake.ts';
import { makefile, type OwnFlags } from './make.ts';
import { POOL } from './pool.data.ts';
import { headerText } from '../../backend/c/header.ts';
import { versionsOf, versionText, dispatcherText } from './multiversion.ts';
import { namesOf } from '../../backend/c/names.ts';
import { BESIDE_SOURCE, flagsOf, productsOf, type Sources } from './toolchain.ts';
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
  const weights = await joinWeights(
    modules.map(m => ({ weights: weightsOf(m.program, m.plan), commonBytes: m.plan.commonBytes })),
    profile.memory.align,
  );
  const files = new Map<string, Uint8Array>([['model.h', utf8(c.header)]]);
  const put = (name: string, text: string): void => void files.set(name, utf8(text));
  const { shared, addon, program: main } = productsOf(profile.toolchain.system);
  const { code, own } = codeSources(modules, head, c.prefix, files);
  if (profile.threads > 1) {
    code.push('pool.c');
    for (const [name, text] of Object.entries(POOL)) put(name, text);
  }
  const placed = placeWeights(modules, weights, { prefix: c.prefix, profile, embedBelow: b.options.embedBelow }, files);
  const sources: Sources = {
    sources: [...code, ...placed.inside],
    ...(shared &&
      (placed.beside || weights.bytes.length > ONE_COPY) && { shared: [...code, ...(placed.beside ?? placed.inside)] }),
  };
  if (main !== undefined) put('main.c', runnerText(program, c.arena, profile.threads));
  if (shared) put('model.py', pythonText(program, head, c.arena, profile, shared.file));
  const digest = await sha256(weights.bytes);
  const id = (await sha256(utf8([c.header, ...modules.map(m => m.artifact.source), digest].join('')))).slice(0, 16);
  if (shared)
    for (const [name, text] of wheelFiles(program, head, id, shared.file, placed.beside && WEIGHTS_FILE)) put(name, text);
  if (addon) {
    const { inputs, outputs, symbols } = program;
    const library = shared && sources.shared ? shared.file : undefined;
    if (library !== undefined) put('model.c', `${new TextDecoder().decode(files.get('model.c'))}${idText(c.prefix, id)}`);
    const binding = bindingOf(program, profile, c, id, {
      file: addon.file,
      library,
      finder: placed.beside && must(placed.finders[0]).name,
    });
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
    prepared: c.prepared,
    weights: { bytes: weights.bytes.length, ...(weights.bytes.length > 0 && { sha256: digest }) },
    ...sources,
    system: profile.toolchain.system,
    flags: flagsOf(profile),
    ...(several && { own }),
  };
  put('manifest.json', `${JSON.stringify({ ...aboutModel(b, program, profiles), native }, null, 2)}\n`);
  put('README.md', readme(program, profile, c, head, several ? undefined : sources.sources, b.rows, placed.beside !== undefined));
  return files;
}

/** Weights of more bytes are in one place for all that is built. */
const ONE_COPY = 65536;
const WEIGHTS_FILE = 'model.weights';

/** Puts the sources of the model without its weights into `files`: of several versions each, and the dispatcher. */
function codeSources(
  modules: readonly CModule[],
  head: string,
  prefix: string,
  files: Map<string, Uint8Array>,
): { readonly code: string[]; readonly own: OwnFlags } {
  const several = modules.length > 1;
  const versions = versionsOf(modules.map(m => m.profile));
  const code: string[] = [];
  const own: Record<string, readonly string[]> = {};
  const add = (name: string, text: string): void => {
    files.set(name, utf8(text));
    code.push(name);
  };
  const prepares = modules.map(m => m.artifact.prepared > 0);
  if (several) add('model.c', dispatcherText(prefix, head, versions, prepares));
  modules.forEach((m, i) => {
    const source = several ? `model-${m.profile.name}.c` : 'model.c';
    const { source: text } = m.artifact;
    add(source, several ? versionText(prefix, must(versions[i]), text) : text);
    if (several && i < modules.length - 1) own[source] = m.profile.toolchain.flags;
  });
  return { code, own };
}
/**
 * Puts the weights into `files`, and gives the sources that bring them: inside of a library, or, where they are large, also from a file beside
 * it.
 */
function placeWeights(
  modules: readonly CModule[],
  weights: Weights,
  o: { readonly prefix: string; readonly profile: Profile; readonly embedBelow: number | undefined },
  files: Map<string, Uint8Array>,
): { readonly inside: readonly string[]; readonly beside?: readonly string[]; readonly finders: readonly Finder[] } {
  const { prefix, profile } = o;
  const { bytes, starts } = weights;
  if (bytes.length === 0) return { inside: [], finders: [] };
  const versions = versionsOf(modules.map(m => m.profile));
  const finders = modules.flatMap(({ plan }, i) => {
    const suffix = modules.length > 1 ? must(versions[i]).suffix : '';
    const { common, own } = must(starts[i]);
    const [shared, alone] = FINDERS.map(f => `${prefix}_${f}${suffix}`);
    return [
      ...(plan.commonBytes > 0 ? [{ name: must(shared), at: common }] : []),
      ...(plan.commonBytes < plan.weightsBytes ? [{ name: must(alone), at: own }] : []),
    ];
  });
  const symbol = `${prefix}_weights`;
  if (bytes.length <= (o.embedBelow ?? profile.memory.embedBelow)) {
    files.set('weights.c', arrayText(symbol, bytes, finders));
    return { inside: ['weights.c'], finders };
  }
  files.set('weights.S', utf8(assembly(symbol, profile.memory.align, bytes.length, WEIGHTS_FILE)));
  files.set('inside.c', utf8(insideText(symbol, finders)));
  files.set(WEIGHTS_FILE, besideBytes(weights));
  const inside = ['inside.c', 'weights.S'];
  if (!productsOf(profile.toolchain.system).shared) return { inside, finders };
  files.set(BESIDE_SOURCE, utf8(besideText(weights, WEIGHTS_FILE, finders)));
  return { inside, beside: [BESIDE_SOURCE], finders };
}

/** What the versions of a model have in common: all take the same memory, that of the greediest. */
function together(modules: readonly CModule[], head: string): CArtifact {
  const arena = Math.max(...modules.map(m => m.artifact.arena));
  const prepared = Math.max(...modules.map(m => m.artifact.prepared));
  const headers = modules.map(({ program, profile }) =>
    headerText({
      head,
      program,
      names: namesOf(program),
      arena,
      prepared,
      align: profile.memory.align,
      threads: profile.threads,
    }),
  );
  const [header, ...others] = headers;
  if (header === undefined || others.some(h => h !== header))
    throw new InternalError('the versions of a model differ in their headers');
  return { ...must(modules[0]).artifact, header, arena, prepared };
}
