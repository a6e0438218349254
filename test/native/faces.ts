// Bundles as users have them: compiled, written to a folder, and built as `sinter compile` builds them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildLibraries, type NativeBuild } from '../../compiler/host/build.ts';
import { must } from '../../compiler/core/diagnostic.ts';
import { typed } from '../../compiler/core/tensor.ts';
import { compile, type CompileOptions } from '../../compiler/index.ts';
import { dimOptions } from '../../fixtures/dims.ts';
import { makeInputs } from '../../fixtures/inputs.ts';
import { locate, REAL_MODELS } from '../../fixtures/models.ts';
import { projectDir } from '../../fixtures/paths.ts';

const folders: string[] = [];
export const removeFolders = (): void => folders.forEach(d => rmSync(d, { recursive: true, force: true }));
/** A new temporary folder. */
export function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sinter-faces-'));
  folders.push(dir);
  return dir;
}

export interface Output {
  readonly data: ArrayLike<number | bigint> & ArrayBufferView;
  readonly dims: readonly number[];
  readonly type: string;
}
export interface Model {
  readonly inputs: Record<string, { readonly data: Float32Array; readonly shape: readonly (number | string)[] }>;
  readonly outputs: Record<string, Output>;
  run(inputs: Record<string, unknown>, o?: { readonly into?: Record<string, unknown> }): Record<string, Output>;
}
export interface Index {
  load(source?: unknown): Promise<Model>;
}
/** Writes a bundle, builds what is to be built as `sinter compile` does, and gives its folder. */
export async function bundle(options: CompileOptions): Promise<string> {
  const dir = folder();
  const { files } = await compile(options);
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  const { native } = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as { readonly native?: NativeBuild };
  const built = native && buildLibraries(dir, native);
  if (built && 'why' in built) throw new Error(built.why);
  return dir;
}
export const indexOf = async (dir: string): Promise<Index> => (await import(pathToFileURL(join(dir, 'index.js')).href)) as Index;

export const bike = readFileSync(join(projectDir, 'fixtures/bike/model.json'));
export const rows = Float32Array.from({ length: 64 * 13 }, (_, i) => (i % 17 === 5 ? NaN : ((i * 7919) % 1009) / 40));
export interface Case {
  readonly name: string;
  readonly options: Omit<CompileOptions, 'target'>;
  readonly inputs: () => readonly Record<string, unknown>[];
}
export const real = (name: string): Case => {
  const m = must(REAL_MODELS.find(x => x.name === name));
  const bytes = readFileSync(must(locate(name), `${name}: npm run fixtures`));
  return {
    name,
    options: { model: bytes, file: `${name}.onnx`, dims: dimOptions(m, bytes) },
    inputs: () =>
      m.runs.map(r => Object.fromEntries([...makeInputs(m, r)].map(([k, t]) => [k, { data: typed(t), dims: t.dims }]))),
  };
};
