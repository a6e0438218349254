import type { Importer } from '../importer.ts';
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
    return openByGraph(title, facts, o => importKeras(model, o));
  },
};
