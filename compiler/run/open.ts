import { fail } from '../core/diagnostic.ts';
import { fromRun, toRun, type RunTensor, type TypedTensor } from '../tensors.ts';
import { openBundle as openTensors } from './bundle.ts';
import { inputOf, type Manifest } from './manifest.ts';

/** A bundle that is loaded, ready to run. */
export interface Bundle {
  /** What manifest.json says: the inputs, outputs and free sizes, the target, and how it was compiled. */
  readonly manifest: Manifest;
  /** The profile that runs here, of those that the bundle has. */
  readonly profile: string;
  /**
   * Runs the model: inputs and outputs by name. E501 where an input is missing, is not of the model, or does not fit it; E502 where the
   * model stops on the data.
   */
  run(inputs: Readonly<Record<string, RunTensor>>): Record<string, TypedTensor>;
}
/**
 * Loads the bundle in a folder: WebAssembly or an addon by its own index.js, C by building its program where there is no addon. `threads`:
 * at most so many, of those that it was compiled for. Errors: E207 where the folder holds no bundle, or one that cannot be built or does
 * not run here; E403 for more threads than it was compiled for.
 */
export async function openBundle(dir: string, { threads }: { readonly threads?: number } = {}): Promise<Bundle> {
  const bundle = await openTensors(dir, threads);
  const { manifest, profile } = bundle;
  return {
    manifest,
    profile,
    run: inputs => {
      for (const p of manifest.inputs) if (!Object.hasOwn(inputs, p.name)) fail('E501', { input: p.name, why: 'is missing' });
      const given = Object.entries(inputs).map(([name, t]) => [name, fromRun(name, inputOf(manifest, name).dtype, t)] as const);
      return Object.fromEntries([...bundle.run(new Map(given))].map(([name, t]) => [name, toRun(t)]));
    },
  };
}
