import { dirname } from 'node:path';
import { fail } from '../core/diagnostic.ts';
import type { Tensor } from '../core/tensor.ts';
import { findPackage } from '../host/packages.ts';
import { mixesTypes } from '../import/tflite/mixed.ts';
import { openLiteRt, type JsSession } from './litert.ts';
import { renamed } from './names.ts';
import { findInPython, openInPython, type PythonFramework, type PythonModel } from './python.ts';
import type { Original } from './reference.ts';
import { openTfjs, TFJS } from './tfjs.ts';

/** What runs models of TensorFlow's family: LiteRT and TensorFlow in Python, LiteRT.js, TensorFlow.js on WebAssembly. */
export const TF_REFERENCES = ['litert-python', 'tensorflow-python', 'litert-js', 'tfjs-wasm'] as const;
export type TfReference = (typeof TF_REFERENCES)[number];
/** The packages of npm, or of Python. */
const PACKAGES: Readonly<Record<TfReference, readonly string[]>> = {
  'litert-python': ['ai-edge-litert'],
  'tensorflow-python': ['tensorflow'],
  'litert-js': ['@litertjs/core'],
  'tfjs-wasm': TFJS,
};
const PYTHON: Readonly<Partial<Record<TfReference, PythonFramework>>> = {
  'litert-python': 'litert',
  'tensorflow-python': 'tensorflow',
};
/** A model's format and the file that it begins with. */
type ModelKind = Pick<Original, 'format' | 'file'>;

/** Why a framework does not run models of a kind; undefined where it does. */
export function unsuited(name: TfReference, m: ModelKind): string | undefined {
  const json = m.file.endsWith('.json');
  switch (name) {
    case 'litert-python':
    case 'litert-js':
      return m.format === 'tflite' ? undefined : 'it runs models of TensorFlow Lite only';
    case 'tensorflow-python':
      if (m.format === 'tensorflow' || m.format === 'keras')
        return json ? 'it runs SavedModels, frozen graphs and models of Keras, not those of TensorFlow.js' : undefined;
      return 'it runs models of TensorFlow and Keras only';
    case 'tfjs-wasm':
      return (m.format === 'tensorflow' || m.format === 'keras') && json ? undefined : 'it runs models of TensorFlow.js only';
  }
}
/** How a framework comes here. */
export const howToGet = (name: TfReference, python: string): string =>
  PYTHON[name] === undefined
    ? `npm install ${PACKAGES[name].join(' ')}`
    : `pip install ${PACKAGES[name].join(' ')}, for the Python that --python names (now ${python})`;
/** The version of a framework and the files of its code; undefined where it is not installed. */
export function findFramework(
  name: TfReference,
  python: string,
): Promise<{ readonly version: string; readonly code: readonly string[] } | undefined> {
  const framework = PYTHON[name];
  if (framework !== undefined) return findInPython(framework, python);
  const places = PACKAGES[name].map(findPackage);
  const version = places.at(-1)?.version;
  return Promise.resolve(places.includes(undefined) || version === undefined ? undefined : { version, code: [] });
}
/** A model as a framework in Python is asked for it. */
export function pythonModel(
  o: Pick<Original, 'file' | 'format' | 'choices'>,
  names: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  threads: number,
): PythonModel {
  const { signature, tfliteRounding } = o.choices;
  return {
    model: o.file.endsWith('saved_model.pb') ? dirname(o.file) : o.file,
    format: o.format,
    threads,
    ...(tfliteRounding && { rounding: tfliteRounding }),
    ...(signature !== undefined && { signature }),
    ...names,
  };
}
/**
 * Frameworks to compare a model with, the best first. LiteRT quantizes floats on the way to weights of 8 bits, and Sinter does not: such
 * models have none.
 */
export const frameworksFor = (o: Original): readonly TfReference[] =>
  o.format === 'tflite' && mixesTypes(o.bytes) ? [] : TF_REFERENCES.filter(n => unsuited(n, o) === undefined);
const namesOf = (o: Original): { readonly inputs: readonly string[]; readonly outputs: readonly string[] } => ({
  inputs: o.graph.inputs.flatMap(v => (v.def.k === 'input' ? [v.def.name] : [])),
  outputs: o.graph.outputs.map(x => x.name),
});

/** The original in its own framework, to compare with. E403: it does not take the model. E601: it is not installed. */
export async function openFramework(
  o: Original,
  name: TfReference,
  python: string,
): Promise<{
  readonly version: string;
  readonly run: (inputs: ReadonlyMap<string, Tensor>) => Promise<Map<string, Tensor>>;
  readonly close: () => Promise<void>;
}> {
  const why = unsuited(name, o);
  if (why !== undefined) fail('E403', { option: 'against', why: `${name} cannot run ${o.path}: ${why}` });
  const found =
    (await findFramework(name, python)) ??
    fail('E601', { what: name, how: `${howToGet(name, python)}, or verify with --against evaluate` });
  const refused = (e: unknown): never =>
    fail('E403', { option: 'against', why: `${name} does not take ${o.path}: ${reason(e)}` });
  const stopped = (e: unknown): never => fail('E502', { why: `${name} stops on these inputs: ${reason(e)}` });
  const names = namesOf(o);
  const framework = PYTHON[name];
  if (framework === undefined) {
    const s: JsSession | undefined = await (name === 'litert-js' ? openLiteRt(o.bytes, names, 1) : openTfjs(o.file, names)).catch(
      refused,
    );
    if (!s) return refused('it is not installed');
    return {
      version: found.version,
      run: inputs => s.run(inputs).catch(stopped),
      close: () => Promise.resolve().then(() => s.close()),
    };
  }
  const s = await openInPython(framework, python, pythonModel(o, names, 1)).catch(refused);
  return {
    version: found.version,
    run: async inputs => {
      await s.give([inputs]).catch(stopped);
      return renamed(await s.answer().catch(stopped), names.outputs);
    },
    close: () => Promise.resolve().then(() => s.close()),
  };
}
const reason = (e: unknown): string => (e instanceof Error ? e.message : String(e));
