import { join } from 'node:path';
import { cacheDir, projectDir } from '../../fixtures/paths.ts';
import { locateTf, TF_MODELS, type TfModel } from '../../fixtures/tensorflow.ts';

type Json = Readonly<Record<string, unknown>>;
/** Who runs a model of the family besides Sinter. */
const against = (file: string): string[] =>
  file.endsWith('.tflite') ? ['litert-js', 'litert-python'] : file.endsWith('.json') ? ['tfjs-wasm'] : ['tensorflow-python'];

/** Models of TensorFlow's family as a suite has them; `place` gives a path as the suite names it. Models that are made are made. */
export const tfSuiteModels = (place: (path: string) => string, wanted: (m: TfModel) => boolean): Json[] =>
  TF_MODELS.filter(wanted).map(m => {
    const { source } = m;
    const path = source.k === 'made' ? '' : join(source.k === 'npm' ? join(projectDir, 'node_modules') : cacheDir, source.path);
    const file = locateTf(m) ?? path;
    return {
      name: m.name,
      doc: m.doc,
      group: 'TensorFlow',
      model: place(file),
      ...(m.dims && { dims: m.dims }),
      against: against(file),
      inputs: m.fills,
      ...(m.runs && { runs: m.runs.map(sizes => ({ sizes })) }),
    };
  });
