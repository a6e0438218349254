/** Folders that other serving systems take as they are. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { version } from 'sinter';
import { ExportError, readBundle } from './bundle.ts';
import { packPackages } from './packages.ts';
import type { ExportOptions, ExportTarget } from './target.ts';
import { lambda, workers } from './targets/edge.ts';
import { knative } from './targets/knative.ts';
import { kserve } from './targets/kserve.ts';
import { keda, kubernetes } from './targets/kubernetes.ts';
import { sagemaker } from './targets/sagemaker.ts';
import { triton } from './targets/triton.ts';

export const TARGETS: Readonly<Record<string, ExportTarget>> = {
  sagemaker,
  kserve,
  triton,
  kubernetes,
  keda,
  knative,
  lambda,
  workers,
};
/** A target and its name in `TARGETS`. */
export interface NamedTarget {
  readonly kind: string;
  readonly target: ExportTarget;
}
export type ExportSettings = Omit<ExportOptions, 'name' | 'image' | 'modelUri'> & {
  readonly [k in 'name' | 'image' | 'modelUri']: string | undefined;
} & {
  /** Whether the packages of Sinter are put beside the Dockerfile. */
  readonly packages: boolean;
};
const ACCOUNT = '000000000000';

/**
 * Writes the folder `out`, which is not there yet or empty; it appears as a whole or not at all. Gives the names of its files. Errors:
 * ExportError, where the bundle, its name or the place is at fault.
 */
export function exportBundle({ kind, target }: NamedTarget, bundle: string, out: string, s: ExportSettings): readonly string[] {
  const b = readBundle(bundle);
  const name = s.name ?? b.name;
  if (!target.names.allowed.test(name))
    throw new ExportError(`${kind} does not allow the name '${name}': ${target.names.rule}; give another with --name`);
  const registry = `${ACCOUNT}.dkr.ecr.${s.region}.amazonaws.com`;
  // Systems that fetch the model have one image for all.
  const image =
    s.image ??
    (kind === 'sagemaker'
      ? `${registry}/sinter:${version}`
      : `registry.example/${kind === 'kserve' ? `sinter:${version}` : `${name}:1`}`);
  const modelUri = s.modelUri ?? `s3://BUCKET/${name}/${kind === 'sagemaker' ? 'model.tar.gz' : ''}`;
  const files = target.files(b, { ...s, name, image, modelUri });
  const place = resolve(out);
  if (existsSync(place) && (!statSync(place).isDirectory() || readdirSync(place).length > 0))
    throw new ExportError(`${out} is there already; remove it, or choose another --out`);
  let half: string | undefined;
  try {
    mkdirSync(dirname(place), { recursive: true });
    half = join(dirname(place), `.${basename(place)}.${process.pid}.${randomUUID()}`);
    mkdirSync(half);
    for (const [path, data] of files) {
      const file = join(half, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, data);
    }
    const packed =
      target.image && s.packages ? packPackages(join(half, 'image', 'packages')).map(f => `image/packages/${f}`) : [];
    // A folder that is there is empty.
    if (existsSync(place)) rmdirSync(place);
    renameSync(half, place);
    return [...files.keys(), ...packed].sort();
  } catch (e) {
    if (half !== undefined) rmSync(half, { recursive: true, force: true });
    if (e instanceof ExportError) throw e;
    throw new ExportError(`cannot write ${out}: ${String(Reflect.get(Object(e), 'message'))}`);
  }
}
