/**
 * Functions of TensorFlow and layers of Keras as models in each of their formats, with the answers that TensorFlow gave: the archives
 * tensorflow-cases/*.tar.xz of the corpus (see `corpusFile`), a folder a case. case.json names inputs, outputs and tolerances, io.npz
 * holds in0, in1, … and out0, ….
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { readNpy } from '../../compiler/data/npy.ts';
import type { Tensor } from '../../compiler/core/tensor.ts';
import { decodeModel } from '../../compiler/import/tflite/decode.ts';
import { cacheDir, corpusFile } from '../../fixtures/paths.ts';

/** The forms that a case may have, with the model's path in its folder. */
export const FORMS = {
  graphdef: 'frozen.pb',
  saved_model: 'saved_model',
  tfjs: 'tfjs/model.json',
  tflite: 'model.tflite',
  keras: 'model.keras',
  h5: 'model.h5',
} as const;
export type Form = keyof typeof FORMS;
export const TF_SUITES = Object.keys(FORMS) as Form[];
export const isTfSuite = (s: string): s is Form => Object.hasOwn(FORMS, s);

export interface TfCase {
  readonly folder: string;
  /** The model's path. */
  readonly model: string;
  /** Names without ports; undefined where the case does not say. */
  readonly inputNames: readonly string[] | undefined;
  readonly outputNames: readonly string[] | undefined;
  readonly tolerance: { readonly rtol: number; readonly atol: number };
  /** Larger numbers count as this one. */
  readonly most: number | undefined;
  /** Whether the numbers are to be compared: else they are random, and only types and sizes are. */
  readonly values: boolean;
  /** Operators, or the layer, that it is about. */
  readonly operators: readonly string[];
}
/** As `case.json` has it; cases of Keras have less. */
interface CaseFile {
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly rtol?: number;
  readonly atol?: number;
  readonly mtol?: number | string | null;
  readonly check_value?: boolean;
  readonly ops?: readonly string[];
  readonly layer?: string;
}
/** Keras's own tests compare so. */
const KERAS = { rtol: 1e-5, atol: 1e-5 };

export function readTfCase(form: Form, folder: string): TfCase {
  const j = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as CaseFile;
  const bare = (names: readonly string[] | undefined): string[] | undefined => names?.map(n => n.replace(/:0$/, ''));
  return {
    folder,
    model: join(folder, FORMS[form]),
    inputNames: bare(j.inputs),
    outputNames: bare(j.outputs),
    tolerance: { rtol: j.rtol ?? KERAS.rtol, atol: j.atol ?? KERAS.atol },
    most: j.mtol === undefined || j.mtol === null ? undefined : Number(j.mtol),
    values: j.check_value ?? true,
    operators: form === 'tflite' ? builtinsOf(folder) : (j.ops ?? (j.layer === undefined ? [] : [j.layer])),
  };
}
/** The operators of a file of TensorFlow Lite. */
function builtinsOf(folder: string): string[] {
  const { subgraphs } = decodeModel(readFileSync(join(folder, FORMS.tflite)), folder);
  return [...new Set(subgraphs.flatMap(g => g.operators.map(o => o.op)))];
}
/** in0, in1, … and out0, …; undefined where they hold text. Complex numbers are pairs along one more axis. */
export function readTfData(c: TfCase): { readonly inputs: Tensor[]; readonly outputs: Tensor[] } | undefined {
  const files = unzipSync(readFileSync(join(c.folder, 'io.npz')));
  const read = (kind: string): (Tensor | undefined)[] => {
    const out: (Tensor | undefined)[] = [];
    for (let i = 0; ; i++) {
      const bytes = files[`${kind}${i}.npy`];
      if (!bytes) return out;
      out.push(tensorIn(bytes, `${kind}${i}`));
    }
  };
  const [inputs, outputs] = [read('in'), read('out')].map(list => list.flatMap(t => t ?? []));
  const all = [...read('in'), ...read('out')];
  return inputs && outputs && all.every(t => t !== undefined) ? { inputs, outputs } : undefined;
}
/** NumPy's own types, and what it has no name for: bfloat16 as two bytes, and complex numbers. */
function tensorIn(bytes: Uint8Array, name: string): Tensor | undefined {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 256));
  const type = /'descr': '([^']+)'/.exec(head)?.[1] ?? '';
  if (/^[<>|=]?[UOS]/.test(type)) return undefined;
  const as = (to: string): Tensor => {
    const copy = bytes.slice();
    copy.set(new TextEncoder().encode(to), head.indexOf(`'${type}'`) + 1);
    return readNpy(copy, name);
  };
  if (type === '|V2') return { ...as('<u2'), dtype: 'bf16' };
  if (type !== '<c8') return readNpy(bytes, name);
  // The sizes in the header are those of pairs; f8 has as many bytes as a pair of f4.
  const pairs = as('<f8');
  return { dtype: 'f32', dims: [...pairs.dims, 2], bytes: pairs.bytes };
}
/** Where the cases are: unpacked once, from the corpus; undefined where that is not here. */
export function findTfCases(): string | undefined {
  const root = join(cacheDir, 'tensorflow-cases');
  if (existsSync(root)) return root;
  const archives = ['tf-cases.tar.xz', 'keras-cases.tar.xz'].map(n => corpusFile(join('tensorflow-cases', n)));
  if (archives.includes(undefined)) return undefined;
  const part = `${root}.part`;
  mkdirSync(part, { recursive: true });
  for (const a of archives)
    if (a !== undefined && spawnSync('tar', ['-xJf', a, '-C', part], { stdio: 'inherit' }).status !== 0)
      throw new Error(`cannot unpack ${a}`);
  renameSync(part, root);
  return root;
}
/** The cases that have a form, in the order of their names. */
export function* tfCases(root: string, form: Form): Generator<{ readonly name: string; readonly folder: string }> {
  for (const name of readdirSync(root).sort()) {
    const folder = join(root, name);
    if (existsSync(join(folder, FORMS[form]))) yield { name, folder };
  }
}
