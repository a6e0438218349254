import { CompileError } from '../../core/diagnostic.ts';
import type { ImportedGraph, Importer, ImportOptions } from '../importer.ts';
import { openByGraph } from '../shared/inspect.ts';
import { importKeras, layersOf } from './import.ts';
import { isKeras, openKeras } from './open.ts';

export const keras: Importer<'keras'> = {
  name: 'keras',
  title: 'Keras',
  accepts: 'Keras as .keras, .h5 or layers of TensorFlow.js',
  mainFile: 'model.json',
  takes: ['shapes'],
  sniff: b => (isKeras(b) ? 'certain' : 'no'),
  open: file => {
    const model = openKeras(file);
    const title = `Keras${model.kerasVersion === '' ? '' : ` ${model.kerasVersion}`}, ${model.form}`;
    const facts = (): Record<string, string | number> => ({
      model: model.model.cls,
      layers: layersOf(model.model, model.file).length,
      ...(model.backend !== '' && { backend: model.backend }),
    });
    const load = (o: ImportOptions): ImportedGraph => importKeras(model, o);
    const told = openByGraph(title, facts, o => tried(load, o));
    return { ...told, import: load };
  },
};
/** An import to tell about a model: sizes that are open and no batch are as those of usual pictures. */
function tried(load: (o: ImportOptions) => ImportedGraph, o: ImportOptions): ImportedGraph {
  try {
    return load(o);
  } catch (e) {
    if (!(e instanceof CompileError) || e.code !== 'E301') throw e;
    const open = (e.holes['dim'] ?? '').split(', ');
    return load({ ...o, dims: { ...o.dims, ...Object.fromEntries(open.map(d => [d, TRIAL])) } });
  }
}
const TRIAL = 224;
